/** The inference request in a body: described in JSON or, for a model of one input, its bytes alone. */
import { elementBytes } from "../datatype.ts";
import { decodeInferRequest } from "../decode.ts";
import { bytesOfElements } from "../bytes-elements.ts";
import { ProtocolError } from "../errors.ts";
import { type InferRequest, type ModelMetadata, priorityOf, timeoutUsOf, type WireBody } from "../message.ts";
import { checkTensor, elementCount, shapeText, type Tensor } from "../tensor.ts";

/** Throws a ProtocolError when the body is not a request, or a parameter of the protocol is out of range. */
export function readRequest(
  { body, headerBytes }: WireBody,
  metadata: ModelMetadata | undefined,
): InferRequest {
  if (headerBytes === 0) return rawRequest(body, metadata);
  const request = decodeInferRequest(body, headerBytes);
  priorityOf(request);
  timeoutUsOf(request);
  return request;
}

/** One row of the only input, without JSON. Outputs are requested as bytes, too. */
function rawRequest(body: Uint8Array, metadata: ModelMetadata | undefined): InferRequest {
  if (metadata === undefined) throw new ProtocolError("the model is not loaded yet", 503);
  const [input, ...others] = metadata.inputs;
  if (input === undefined || others.length > 0) {
    throw new ProtocolError(
      `a body without JSON header needs a model of one input; ${metadata.name} has ${metadata.inputs.length}`,
    );
  }
  const { name, datatype } = input;
  const isBytes = datatype === "BYTES";
  const elements = isBytes ? 1 : body.length / elementBytes(datatype);
  const tensor: Tensor = {
    name,
    datatype,
    shape: oneRow(input.shape, elements, metadata.name),
    data: isBytes ? bytesOfElements([body]) : body,
  };
  checkTensor(tensor, `the body, as ${datatype}${shapeText(tensor.shape)},`);
  return { parameters: { binary_data_output: true }, inputs: [tensor] };
}

/** The shape with one row; its only other dimension that may vary takes the rest of the elements. */
function oneRow(shape: readonly number[], elements: number, model: string): number[] {
  const row = shape.map((size, axis) => (axis === 0 && size === -1 ? 1 : size));
  const open = row.filter((size) => size === -1).length;
  if (open > 1) {
    throw new ProtocolError(
      `a body without JSON header does not tell the ${open} sizes that vary in ${shapeText(shape)} of ${model}`,
    );
  }
  const others = elementCount(row.filter((size) => size !== -1));
  return row.map((size) => (size === -1 ? Math.floor(elements / Math.max(1, others)) : size));
}
