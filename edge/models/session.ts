/** An ONNX Runtime session: tensors in, tensors out. A run blocks its thread, so servers open it in replicas only. */
import type * as ort from "onnxruntime-node";
import { elementBytes } from "../../protocol/datatype.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import { elementCount, shapeText, type Tensor } from "../../protocol/tensor.ts";
import { runByRows } from "../joining/fixed-rows.ts";
import { type DimensionNames, rowStructure } from "../joining/row-structure.ts";
import { loadOnnxRuntime } from "../runtime/load-runtime.ts";
import { packagedLibrary } from "../runtime/runtime-library.ts";
import { tensorrtProvider } from "../runtime/tensorrt-options.ts";
import { type ExactResults, ExactSession } from "./exact-strings.ts";
import type { InferenceResult, ModelFile } from "./model-runner.ts";
import { whyNotOnnx } from "./not-onnx.ts";
import { datatypeOf, fromOrt, toOrt } from "./ort-tensors.ts";
import { quantisesDynamically } from "./quantised-file.ts";
import { runFault } from "./run-fault.ts";

export interface Session {
  readonly metadata: ModelMetadata;
  /** Absent when the inputs or outputs are not those of an ONNX file. */
  readonly dimensions?: DimensionNames | undefined;
  /** Whether company changes answers a little, because the model quantises by the range of its inputs. */
  readonly quantisesDynamically?: boolean | undefined;
  /**
   * Run inputs that `checkInputs` has accepted, with the rows of each request. A model whose batch is fixed at N runs any
   * number of rows, by N. ProtocolError (500) on failure.
   */
  run(inputs: readonly Tensor[], rows: readonly number[]): Promise<InferenceResult>;
}

/**
 * Load a model and warm it up. Throws an Error when the file is not an ONNX model, an execution provider is missing, the
 * library of its settings cannot be loaded, or a warm-up fails.
 */
export async function openSession(model: ModelFile, threads: number): Promise<Session> {
  const why = whyNotOnnx(model.path);
  if (why !== undefined) throw new Error(`${model.path}: ${why}`);
  const { library } = loadOnnxRuntime(model.config?.runtimeLibrary);
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
      ...(library !== undefined && { runtime_library: library.library, runtime_release: library.release }),
    },
  };
  for (const shapes of model.config?.warmUp ?? []) await run(session, metadata, zeros(metadata, shapes));
  const dimensions = {
    inputs: session.inputMetadata.map(dimensionNames),
    outputs: session.outputMetadata.map(dimensionNames),
  };
  const { fixedRows } = rowStructure(metadata);
  const runOnce = (inputs: readonly Tensor[]): Promise<InferenceResult> => run(session, metadata, inputs);
  return {
    metadata,
    dimensions,
    quantisesDynamically: quantisesDynamically(model.path),
    run: fixedRows === undefined ? runOnce : (inputs) => runByRows(fixedRows, inputs, runOnce),
  };
}

/**
 * Only making a session shows which execution providers are there. Those before a missing one are not tried again.
 * Returns the providers that the session runs on, the preferred first, and those left out, each with the reason.
 */
async function openOnProviders(model: ModelFile, threads: number) {
  const { executionProviders: wanted = ["cpu"], tensorrt } = model.config ?? {};
  const { api, library } = loadOnnxRuntime(model.config?.runtimeLibrary);
  const binding = (): string => (library ?? packagedLibrary()).binding;
  const missing: string[] = [];
  const open = async (providers: (typeof wanted)[number][]) => {
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: providers.map((name) =>
        name === "tensorrt" ? tensorrtProvider(tensorrt, binding) : name,
      ),
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // 4: nothing about graphs that work, nor about runs that fail, whose reason is thrown.
      logSeverityLevel: 4,
    };
    const plain = await api.InferenceSession.create(model.path, options);
    const session = new ExactSession(plain, model, (bytes) => api.InferenceSession.create(bytes, options));
    await session.prepare();
    return { session, providers, missing };
  };
  for (const [index, provider] of wanted.entries()) {
    try {
      return await open(wanted.slice(index));
    } catch (error) {
      // The binding's number for bfloat16.
      if (/^Unsupported data type: 16$/.test((error as Error).message))
        throw new Error("an input or output is BF16, which ONNX Runtime for Node does not take", {
          cause: error,
        });
      if (provider === "cpu") throw error;
      const reason = `execution provider ${provider}: ${(error as Error).message.trim()}`;
      if (model.config?.providerFallback !== true) {
        const hint = 'with "providerFallback: true" the model would run without it';
        throw new Error(`${reason}; ${hint}`, { cause: error });
      }
      missing.push(reason);
    }
  }
  return open(["cpu"]);
}

/** The inputs of a warm-up run: zeros of the given shapes, and empty texts for BYTES. */
function zeros(metadata: ModelMetadata, shapes: Readonly<Record<string, readonly number[]>>): Tensor[] {
  return Object.entries(shapes).map(([name, shape]) => {
    const input = metadata.inputs.find((each) => each.name === name);
    if (input === undefined || input.shape.length !== shape.length) {
      const wanted = metadata.inputs.map((each) => `${each.name} ${shapeText(each.shape)}`).join(", ");
      throw new Error(`warmUp has "${name}" of shape ${shapeText(shape)}; allowed: ${wanted} (-1: any size)`);
    }
    const { datatype } = input;
    // An empty text is a length of four bytes.
    const bytes = datatype === "BYTES" ? 4 : elementBytes(datatype);
    return { name, datatype, shape, data: new Uint8Array(elementCount(shape) * bytes) };
  });
}

function tensorMetadata(value: ort.InferenceSession.ValueMetadata): TensorMetadata {
  if (!value.isTensor) throw new ProtocolError(`"${value.name}" of the model is not a tensor`, 501);
  const shape = value.shape.map((size) => (typeof size === "number" ? size : -1));
  return { name: value.name, datatype: datatypeOf(value.type), shape };
}

function dimensionNames(value: ort.InferenceSession.ValueMetadata): string[] {
  return value.isTensor ? value.shape.map((size) => (typeof size === "string" ? size : "")) : [];
}

async function run(
  session: ExactSession,
  metadata: ModelMetadata,
  inputs: readonly Tensor[],
): Promise<InferenceResult> {
  const { Tensor } = loadOnnxRuntime().api;
  const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOrt(Tensor, input)]));
  const startedAtMs = performance.now();
  let ran: ExactResults;
  try {
    ran = await session.run(feeds);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const hasEmpty = inputs.some(({ shape }) => shape.includes(0));
    throw runFault(metadata.name, (error as Error).message, hasEmpty);
  }
  const serviceMs = performance.now() - startedAtMs;
  const { results, strings } = ran;
  const outputs = metadata.outputs.map(({ name }) =>
    fromOrt(name, results[name] as ort.Tensor, strings.get(name)),
  );
  return { outputs, serviceMs };
}
