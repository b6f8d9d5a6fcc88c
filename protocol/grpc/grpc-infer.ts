/** The messages of inference as values of the protocol, and back. */
import { showValue } from "../../base/error-text.ts";
import { datatypes, isDatatype, rawBytes } from "../datatype.ts";
import { checkNoSharedMemory } from "../decode.ts";
import { ProtocolError } from "../errors.ts";
import type { InferRequest, InferResponse, RequestedOutput } from "../message.ts";
import { checkTensor, type Tensor } from "../tensor.ts";
import {
  bufferOf,
  contentsOf,
  type GrpcContents,
  hasElements,
  hasList,
  rawFromContents,
} from "./grpc-contents.ts";
import {
  fromGrpcParameters,
  type GrpcParameters,
  type Int64,
  integerIn,
  toGrpcParameters,
} from "./grpc-parameters.ts";

export interface GrpcTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (Int64 | number)[];
  readonly parameters?: GrpcParameters;
  readonly contents?: GrpcContents | null;
}

export interface GrpcInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters?: GrpcParameters;
  readonly inputs: readonly GrpcTensor[];
  readonly outputs?: readonly { readonly name: string; readonly parameters?: GrpcParameters }[];
  readonly raw_input_contents?: readonly Uint8Array[];
}

export interface GrpcInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters?: GrpcParameters;
  readonly outputs: readonly GrpcTensor[];
  readonly raw_output_contents?: readonly Uint8Array[];
}

/** A parameter of Triton's streams that says nothing of the model. */
const ofStreams = "triton_enable_empty_final_response";

/**
 * The request of a message; names and numbers of rows are for whoever serves it to check. Raw data stays in the memory of
 * the message.
 *
 * @throws ProtocolError
 */
export function fromGrpcRequest(message: GrpcInferRequest): InferRequest {
  const { [ofStreams]: _, ...parameters } = fromGrpcParameters(message.parameters, "parameters");
  const outputs = (message.outputs ?? []).map((output, index): RequestedOutput => {
    const place = `outputs[${index}].parameters`;
    const own = fromGrpcParameters(output.parameters, place);
    checkNoSharedMemory(own, place);
    return Object.keys(own).length > 0 ? { name: output.name, parameters: own } : { name: output.name };
  });
  return {
    ...(message.id !== "" && { id: message.id }),
    parameters,
    inputs: tensorsIn(message.inputs, message.raw_input_contents, "input"),
    ...(outputs.length > 0 && { outputs }),
  };
}

export function toGrpcRequest(
  model: { readonly model: string; readonly version?: string },
  { id = "", parameters, inputs, outputs = [] }: InferRequest,
): GrpcInferRequest {
  const { binary_data_output: _, ...said } = parameters;
  return {
    model_name: model.model,
    model_version: model.version ?? "",
    id,
    parameters: toGrpcParameters(said),
    inputs: inputs.map(described),
    outputs: outputs.map(({ name, parameters: { binary_data: _form, ...own } = {} }) => {
      return { name, parameters: toGrpcParameters(own) };
    }),
    raw_input_contents: inputs.map(({ data }) => bufferOf(data)),
  };
}

/** The answer in a message, checked like one in an HTTP body. Throws a ProtocolError. */
export function fromGrpcResponse(message: GrpcInferResponse): InferResponse {
  const outputs = tensorsIn(message.outputs, message.raw_output_contents, "output");
  for (const output of outputs) checkTensor(output);
  return {
    modelName: message.model_name,
    modelVersion: message.model_version === "" ? undefined : message.model_version,
    id: message.id === "" ? undefined : message.id,
    parameters: fromGrpcParameters(message.parameters, "parameters"),
    outputs,
  };
}

/** @param isRaw false: outputs as lists of values where all of them have such a form */
export function toGrpcResponse(
  { modelName, modelVersion = "", id = "", parameters, outputs }: InferResponse,
  isRaw: boolean,
): GrpcInferResponse {
  const asLists = !isRaw && outputs.every(({ datatype }) => hasList(datatype));
  return {
    model_name: modelName,
    model_version: modelVersion,
    id,
    parameters: toGrpcParameters(parameters),
    outputs: outputs.map((output) =>
      asLists ? { ...described(output), contents: contentsOf(output) } : described(output),
    ),
    raw_output_contents: asLists ? [] : outputs.map(({ data }) => bufferOf(data)),
  };
}

function described({ name, datatype, shape, parameters }: Tensor): GrpcTensor {
  return { name, datatype, shape, parameters: toGrpcParameters(parameters) };
}

function tensorsIn(
  tensors: readonly GrpcTensor[],
  raw: readonly Uint8Array[] = [],
  kind: "input" | "output",
): Tensor[] {
  if (raw.length > 0 && raw.length !== tensors.length)
    throw new ProtocolError(
      `raw_${kind}_contents has ${raw.length} entries; allowed: one for each of the ${tensors.length} ${kind}s, or none`,
    );
  return tensors.map((tensor, index): Tensor => {
    const { name, datatype, contents } = tensor;
    const place = `${kind}s[${index}]`;
    if (!isDatatype(datatype))
      throw new ProtocolError(
        `${place}.datatype is ${showValue(datatype)}; allowed: ${datatypes.join(", ")}`,
      );
    const parameters = fromGrpcParameters(tensor.parameters, `${place}.parameters`);
    checkNoSharedMemory(parameters, `${place}.parameters`);
    const shape = tensor.shape.map((size) => Number(integerIn(size)));
    const named = `${place} (${showValue(name)})`;
    if (raw.length > 0 && hasElements(contents))
      throw new ProtocolError(`${named} has both contents and raw contents; allowed: one`);
    return {
      name,
      datatype,
      shape,
      data: raw[index] === undefined ? rawFromContents(datatype, contents, named) : rawBytes(raw[index]),
      ...(Object.keys(parameters).length > 0 && { parameters }),
    };
  });
}
