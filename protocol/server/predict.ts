/**
 * `POST …/predict` as all our V2 servers answer it, for people with curl: files in, plain JSON out. A file is one row of the
 * model's only input, and each row is answered apart.
 */
import type { Context } from "hono";
import { shortened } from "../../base/error-text.ts";
import { bytesOfElements } from "../bytes-elements.ts";
import { ProtocolError } from "../errors.ts";
import type { InferRequest, InferResponse, ModelMetadata } from "../message.ts";
import { cutRows } from "../stack.ts";
import { shapeText, type Tensor } from "../tensor.ts";
import { jsonOf } from "./json-of.ts";
import { readBody } from "./read-body.ts";

/**
 * The request in a body: a form with one or more files, or the bytes of one file.
 *
 * @throws ProtocolError when there is no file, or the model does not take files (rejects)
 */
export async function readFiles(context: Context, metadata: ModelMetadata): Promise<InferRequest> {
  const name = fileInput(metadata);
  return fileRequest(name, await filesOf(context));
}

/**
 * The name of the input that takes files.
 *
 * @throws ProtocolError unless the model has one input, BYTES[-1]
 */
export function fileInput(metadata: ModelMetadata): string {
  const [input, ...others] = metadata.inputs;
  if (input?.datatype === "BYTES" && input.shape.length === 1 && others.length === 0) return input.name;
  const inputs = metadata.inputs.map(({ name, datatype, shape }) => `${name} ${datatype}${shapeText(shape)}`);
  throw new ProtocolError(`model "${metadata.name}" takes ${inputs.join(", ")}; allowed: BYTES[-1]`);
}

/** A request with a row for each file. */
export function fileRequest(name: string, files: readonly Uint8Array[]): InferRequest {
  const rows: Tensor = { name, datatype: "BYTES", shape: [files.length], data: bytesOfElements(files) };
  return { parameters: {}, inputs: [rows] };
}

/** The answer: for each file its outputs by name. */
export function answerFiles(
  context: Context,
  { modelName, modelVersion, parameters, outputs }: InferResponse,
  request: InferRequest,
  metadata: Pick<ModelMetadata, "outputs">,
): Response {
  const rows = request.inputs[0]?.shape[0] ?? 0;
  const predictions = cutRows(outputs, Array<number>(rows).fill(1)).map((row) =>
    Object.fromEntries(
      row.map((tensor) => {
        const declared = metadata.outputs.find(({ name }) => name === tensor.name)?.parameters;
        const content = tensor.parameters?.["content"] ?? declared?.["content"];
        return [tensor.name, jsonOf({ tensor, ...(typeof content === "string" && { content }) })];
      }),
    ),
  );
  return context.json({ model_name: modelName, model_version: modelVersion, parameters, predictions });
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
