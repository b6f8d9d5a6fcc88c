/** Opens a model in the process of a replica: an ONNX file, a handler, or a handler before an ONNX file. */
import { dirname, extname } from "node:path";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { notByRows } from "../joining/published-joining.ts";
import { rowStructure } from "../joining/row-structure.ts";
import { handledSession } from "../vision/handlers/handled-session.ts";
import type { Predict } from "../vision/handlers/handler.ts";
import { handlerTools } from "../vision/handlers/handler-tools.ts";
import { openHandler } from "../vision/handlers/open-handler.ts";
import { fileProperties } from "./file-properties.ts";
import { labelsInFile } from "../vision/handlers/labels-in-file.ts";
import type { ModelFile } from "./model-runner.ts";
import { openSession, type Session } from "./session.ts";

/** Throws an Error when the file or the handler is missing, wrong, or fails to load. `threads`: of one operator. */
export async function openModel(model: ModelFile, threads: number): Promise<Session> {
  const onnx = extname(model.path) === ".onnx" ? await openSession(model, threads) : undefined;
  const source = model.handler ?? (onnx === undefined ? model.path : undefined);
  if (source === undefined) return onnx as Session;
  const { name, version } = model;
  const { labels, settings = {} } = model.config ?? {};
  const properties = onnx === undefined ? undefined : fileProperties(model.path);
  const run: Predict = async (inputs) =>
    onnx === undefined ? inputs : runFile(onnx, inputs, model.config?.joinRows === true);
  const handler = await openHandler(
    source,
    {
      name,
      version,
      folder: dirname(model.path),
      settings,
      labels: Array.isArray(labels) ? labels : properties && (await labelsInFile(properties)),
      ...(properties && { properties }),
      inputs: onnx?.metadata.inputs ?? [],
      outputs: onnx?.metadata.outputs ?? [],
    },
    run,
  );
  const metadata: ModelMetadata = {
    ...onnx?.metadata,
    name,
    versions: [version],
    platform: onnx?.metadata.platform ?? "javascript",
    inputs: exported(handler.inputs ?? onnx?.metadata.inputs),
    outputs: exported(handler.outputs ?? onnx?.metadata.outputs),
  };
  const predict: Predict = (inputs) =>
    handler.predict === undefined ? run(inputs) : handler.predict(inputs, run, handlerTools);
  const session = handledSession(handler, metadata, predict);
  const areOnnx = handler.inputs === undefined && handler.outputs === undefined;
  const known = { ...session, quantisesDynamically: onnx?.quantisesDynamically };
  return areOnnx ? { ...known, dimensions: onnx?.dimensions } : known;
}

function exported(tensors: readonly TensorMetadata[] | undefined): TensorMetadata[] {
  if (tensors !== undefined) return [...tensors];
  throw new Error("a handler without an ONNX file must export inputs and outputs");
}

/** The rows of a batch that is fixed at several rows run apart only where the settings say that they may. */
async function runFile(
  onnx: Session,
  inputs: readonly Tensor[],
  isDeclared: boolean,
): Promise<readonly Tensor[]> {
  const rows = inputs[0]?.shape[0] ?? 1;
  const { fixedRows = rows } = rowStructure(onnx.metadata);
  if (fixedRows !== rows && fixedRows !== 1 && !isDeclared)
    throw notByRows(onnx.metadata.name, rows, fixedRows, false);
  return (await onnx.run(inputs, [rows])).outputs;
}
