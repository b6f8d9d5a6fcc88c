/** The inference request in a body, be it described in JSON or, for a model of one input, its bytes alone. */
import { elementBytes } from "../../protocol/datatype.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  type InferRequest,
  type ModelMetadata,
  priorityOf,
  timeoutUsOf,
  type WireBody,
} from "../../protocol/message.ts";
import { checkTensor, elementCount, type Tensor } from "../../protocol/tensor.ts";

/**
 * @param metadata of the model that is asked; undefined while it is not known
 * @throws ProtocolError when the body is no request, or a parameter that the protocol knows is outside its range
 */
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

/** One row of the only input, without JSON; outputs are asked for as bytes, too. */
function rawRequest(body: Uint8Array, metadata: ModelMetadata | undefined): InferRequest {
  if (metadata === undefined) throw new ProtocolError("the model is not loaded yet", 503);
  const [input, ...others] = metadata.inputs;
  if (input === undefined || others.length > 0) {
    throw new ProtocolError(
      `a body without JSON header needs a model of one input; ${metadata.name} has ${metadata.inputs.length}`,
    );
  }
  const { name, datatype } = input;
  const tensor: Tensor =
    datatype === "BYTES"
      ? { name, datatype, shape: oneRow(input.shape, 1, metadata.name), data: asText(body) }
      : {
          name,
          datatype,
          shape: oneRow(input.shape, body.length / elementBytes(datatype), metadata.name),
          data: body,
        };
  checkTensor(tensor, `the body, as ${datatype}[${tensor.shape.join(",")}],`);
  return { parameters: { binary_data_output: true }, inputs: [tensor] };
}

/** The shape with one row, and what is left of the elements in its only other dimension that may vary. */
function oneRow(shape: readonly number[], elements: number, model: string): number[] {
  const row = shape.map((size, axis) => (axis === 0 && size === -1 ? 1 : size));
  const open = row.filter((size) => size === -1).length;
  if (open > 1) {
    throw new ProtocolError(
      `a body without JSON header does not tell the ${open} sizes that vary in [${shape.join(",")}] of ${model}`,
    );
  }
  const others = elementCount(row.filter((size) => size !== -1));
  return row.map((size) => (size === -1 ? Math.floor(elements / Math.max(1, others)) : size));
}

/** The whole body as one element. */
function asText(body: Uint8Array): Uint8Array {
  const element = new Uint8Array(4 + body.length);
  new DataView(element.buffer).setUint32(0, body.length, true);
  element.set(body, 4);
  return element;
}
