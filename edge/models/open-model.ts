/** Opens a model in the process of a replica: an ONNX file, a handler, or a handler before an ONNX file. */
import { dirname, extname } from "node:path";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import { cutRows, joinRows } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { handledSession } from "../vision/handlers/handled-session.ts";
import type { Handler, Predict } from "../vision/handlers/handler.ts";
import { openHandler } from "../vision/handlers/open-handler.ts";
import type { ModelFile } from "./model-runner.ts";
import { openSession, type Session } from "./session.ts";

/** Throws an Error when the file or the handler is missing, wrong, or fails to load. `threads`: of one operator. */
export async function openModel(model: ModelFile, threads: number): Promise<Session> {
  const onnx = extname(model.path) === ".onnx" ? await openSession(model, threads) : undefined;
  const source = model.handler ?? (onnx === undefined ? model.path : undefined);
  if (source === undefined) return onnx as Session;
  const { name, version } = model;
  const { labels, settings = {} } = model.config ?? {};
  const handler = await openHandler(source, {
    name,
    version,
    folder: dirname(model.path),
    settings,
    labels: typeof labels === "string" ? undefined : labels,
    inputs: onnx?.metadata.inputs ?? [],
    outputs: onnx?.metadata.outputs ?? [],
  });
  const metadata: ModelMetadata = {
    ...onnx?.metadata,
    name,
    versions: [version],
    platform: onnx?.metadata.platform ?? "javascript",
    inputs: exported(handler.inputs ?? onnx?.metadata.inputs),
    outputs: exported(handler.outputs ?? onnx?.metadata.outputs),
  };
  return handledSession(handler, metadata, predictOf(handler, onnx));
}

function exported(tensors: readonly TensorMetadata[] | undefined): TensorMetadata[] {
  if (tensors !== undefined) return [...tensors];
  throw new Error("a handler without an ONNX file must export inputs and outputs");
}

function predictOf(handler: Handler, onnx: Session | undefined): Predict {
  const run: Predict = onnx === undefined ? (inputs) => inputs : (inputs) => runOnnx(onnx, inputs);
  return (inputs) => (handler.predict === undefined ? run(inputs) : handler.predict(inputs, run));
}

/** A model that takes one row at a time gets the rows of a batch one after another. */
async function runOnnx(onnx: Session, inputs: readonly Tensor[]): Promise<readonly Tensor[]> {
  const rows = inputs[0]?.shape[0] ?? 1;
  const takesOneRow = onnx.metadata.inputs.every(({ shape }) => shape[0] === 1);
  if (!takesOneRow || rows === 1) return (await onnx.run(inputs, [rows])).outputs;
  const outputs: (readonly Tensor[])[] = [];
  for (const row of cutRows(inputs, Array<number>(rows).fill(1))) {
    outputs.push((await onnx.run(row, [1])).outputs);
  }
  return joinRows(outputs);
}
