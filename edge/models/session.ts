/**
 * One ONNX Runtime session: tensors of the protocol in, tensors out. `session.run` blocks the thread it is
 * called on, so a server never opens one in its own process but in a replica's.
 */
import * as ort from "onnxruntime-node";
import type { Datatype } from "../../protocol/datatype.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import { rawBytes, rawView } from "../../protocol/datatype.ts";
import { type Tensor, tensorFromStrings, tensorToStrings } from "../../protocol/tensor.ts";
import { openOnProviders } from "./execution-providers.ts";
import type { InferenceResult, ModelFile } from "./model-runner.ts";
import { zeros } from "./warm-up.ts";

// Where Node has Float16Array (24 and later) ONNX Runtime makes one of every float16, which its native part then
// takes for empty. Without it the bits go as they came. No one else in a replica needs it.
Reflect.deleteProperty(globalThis, "Float16Array");

/** ONNX Runtime's name for each datatype. */
const ortTypes: Readonly<Record<Datatype, ort.Tensor.Type>> = {
  BOOL: "bool",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
};

function datatypeOf(type: string): Datatype {
  for (const [datatype, ortType] of Object.entries(ortTypes)) {
    if (ortType === type) return datatype as Datatype;
  }
  throw new ProtocolError(`the model uses tensors of type ${type}, which the protocol does not have`, 501);
}

export interface Session {
  readonly metadata: ModelMetadata;
  /**
   * Run inputs that `checkInputs` has let pass. Rejects with a ProtocolError (500) when the model failed.
   *
   * @param rows of each request whose rows the inputs are, in order
   */
  run(inputs: readonly Tensor[], rows: readonly number[]): Promise<InferenceResult>;
}

/**
 * Load a model and warm it up.
 *
 * @param threads threads of one operator, an integer from 1
 * @throws Error when the file is missing or is no ONNX model, an execution provider is not there, or a warm-up fails
 */
export async function openSession(model: ModelFile, threads: number): Promise<Session> {
  const { session, providers, missing } = await openOnProviders(model, threads);
  const metadata: ModelMetadata = {
    name: model.name,
    versions: [model.version],
    platform: "onnx_onnxv1",
    inputs: session.inputMetadata.map(tensorMetadata),
    outputs: session.outputMetadata.map(tensorMetadata),
    parameters: {
      execution_providers: providers.join(","),
      ...(missing.length > 0 && { execution_providers_missing: missing.join("; ") }),
    },
  };
  for (const shapes of model.config?.warmUp ?? []) await run(session, metadata, zeros(metadata, shapes));
  return { metadata, run: (inputs) => run(session, metadata, inputs) };
}

function tensorMetadata(value: ort.InferenceSession.ValueMetadata): TensorMetadata {
  if (!value.isTensor) throw new ProtocolError(`"${value.name}" of the model is not a tensor`, 501);
  const shape = value.shape.map((size) => (typeof size === "number" ? size : -1));
  return { name: value.name, datatype: datatypeOf(value.type), shape };
}

async function run(
  session: ort.InferenceSession,
  metadata: ModelMetadata,
  inputs: readonly Tensor[],
): Promise<InferenceResult> {
  const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOrt(input)]));
  const startedAtMs = performance.now();
  let results: ort.InferenceSession.OnnxValueMapType;
  try {
    results = await session.run(feeds);
  } catch (error) {
    throw new ProtocolError(`model ${metadata.name} failed: ${(error as Error).message}`, 500);
  }
  const serviceMs = performance.now() - startedAtMs;
  const outputs = metadata.outputs.map(({ name }) => fromOrt(name, results[name] as ort.Tensor));
  return { outputs, serviceMs };
}

function toOrt(tensor: Tensor): ort.Tensor {
  const { datatype, data, shape } = tensor;
  const elements = datatype === "BYTES" ? tensorToStrings(tensor) : rawView(datatype, data);
  return new ort.Tensor(ortTypes[datatype], elements, shape);
}

function fromOrt(name: string, tensor: ort.Tensor): Tensor {
  const shape = [...tensor.dims];
  if (tensor.type === "string") return tensorFromStrings(name, shape, tensor.data as string[]);
  const data = rawBytes(tensor.data as Exclude<ort.Tensor.DataType, string[]>);
  return { name, datatype: datatypeOf(tensor.type), shape, data };
}
