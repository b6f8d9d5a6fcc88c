/** A model's configuration as the V2 extension gives it: Triton's ModelConfig, as far as it has a meaning here. */
import type { Datatype } from "../../protocol/datatype.ts";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import type { ModelFile } from "./model-runner.ts";

const triton: Readonly<Partial<Record<Datatype, string>>> = { BYTES: "TYPE_STRING" };

/** With `maxBatchRows`, shapes are without the first dimension, as Triton has them then. */
export function modelConfiguration(model: ModelFile, metadata: ModelMetadata): object {
  const { name, config } = model;
  const maxBatchRows = config?.maxBatchRows ?? 0;
  const tensor = ({ name: tensorName, datatype, shape }: TensorMetadata): object => ({
    name: tensorName,
    data_type: triton[datatype] ?? `TYPE_${datatype}`,
    dims: maxBatchRows > 0 ? shape.slice(1) : shape,
  });
  const usesGpu = metadata.parameters?.["execution_providers"] !== "cpu";
  return {
    name,
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: maxBatchRows,
    input: metadata.inputs.map(tensor),
    output: metadata.outputs.map(tensor),
    instance_group: [{ name, kind: usesGpu ? "KIND_GPU" : "KIND_CPU", count: config?.replicas ?? 1 }],
    default_model_filename: "model.onnx",
    dynamic_batching: {},
    parameters: textParameters({
      ...metadata.parameters,
      ...(config?.threads !== undefined && { threads: config.threads }),
      ...(config?.labels !== undefined && { labels: config.labels.length }),
    }),
  };
}

function textParameters(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, { string_value: String(value) }]),
  );
}
