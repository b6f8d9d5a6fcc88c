/** The endpoint for people with curl, beside the protocol: files in, plain JSON out. */
import type { Context, Hono } from "hono";
import { shortened } from "../../base/error-text.ts";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, TensorMetadata } from "../../protocol/message.ts";
import { cutRows } from "../../protocol/stack.ts";
import { shapeText, type Tensor } from "../../protocol/tensor.ts";
import { arrivalMs, infer, limitsOf, refuseEarly } from "../server/infer.ts";
import { jsonOf } from "../server/json-of.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import { metadataOrRefusal, untilKnown } from "../models/why-not-ready.ts";
import { readBody } from "../../protocol/server/read-body.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import { requestedModel } from "./route.ts";

/** `POST …/predict`: a form with one or more files, or the bytes of one file as the body. */
export function addPredictRoute(app: Hono, models: Iterable<ModelRunner>, gate?: AccessGate): void {
  route(app, "POST", modelPaths("/predict"), async (context) => {
    const arrivedAtMs = arrivalMs();
    const runner = requestedModel(models, context);
    await refuseEarly(runner, context);
    await untilKnown(runner);
    const input = onlyInput(runner);
    const request = requestOf(input.name, await filesOf(context));
    gate?.countRows(context, request.inputs[0]?.shape[0] ?? 1);
    const limits = limitsOf(request, arrivedAtMs, context);
    const { modelName, modelVersion, parameters, outputs } = await infer(runner, request, limits);
    const predictions = predictionsOf(outputs, runner, request.inputs[0]?.shape[0] as number);
    return context.json({ model_name: modelName, model_version: modelVersion, parameters, predictions });
  });
}

function onlyInput(runner: ModelRunner): TensorMetadata {
  const metadata = metadataOrRefusal(runner);
  const { model } = runner;
  const [input, ...others] = metadata.inputs;
  if (input?.datatype === "BYTES" && input.shape.length === 1 && others.length === 0) return input;
  const inputs = metadata.inputs.map(({ name, datatype, shape }) => `${name} ${datatype}${shapeText(shape)}`);
  throw new ProtocolError(`model "${model.name}" takes ${inputs.join(", ")}; allowed: BYTES[-1]`);
}

async function filesOf(context: Context): Promise<Uint8Array[]> {
  const type = context.req.header("content-type") ?? "";
  const body = await readBody(context);
  if (!/^multipart\/form-data\b/i.test(type)) {
    if (body.byteLength === 0)
      throw new ProtocolError("the body is empty; allowed: a file, or a form with files");
    return [new Uint8Array(body)];
  }
  const form = await new Response(body, { headers: { "content-type": type } })
    .formData()
    .catch((error: Error) => {
      throw new ProtocolError(`the form cannot be read: ${shortened(error.message)}`);
    });
  const files = await Promise.all(
    [...form.values()].map(async (value) =>
      typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(await value.arrayBuffer()),
    ),
  );
  if (files.length === 0)
    throw new ProtocolError("the form has no file; allowed: one or more, as in file=@cat.jpg");
  return files;
}

function requestOf(name: string, files: readonly Uint8Array[]): InferRequest {
  const image: Tensor = { name, datatype: "BYTES", shape: [files.length], data: bytesOfElements(files) };
  return { parameters: {}, inputs: [image] };
}

/** For each file its outputs by name. */
function predictionsOf(outputs: readonly Tensor[], { metadata }: ModelRunner, rows: number): object[] {
  return cutRows(outputs, Array<number>(rows).fill(1)).map((row) =>
    Object.fromEntries(
      row.map((tensor) => {
        const content = metadata?.outputs.find(({ name }) => name === tensor.name)?.parameters?.["content"];
        return [tensor.name, jsonOf({ tensor, ...(typeof content === "string" && { content }) })];
      }),
    ),
  );
}
