/**
 * A line of JSONL as a request: a V2 request as it is, or one row of a model, as its metadata says what a row is. Lines of
 * bulk work come in both forms.
 */
import { Buffer } from "node:buffer";
import { showValue } from "../base/error-text.ts";
import { decodeInferRequest } from "./decode.ts";
import { ProtocolError } from "./errors.ts";
import { parseJson } from "./fields.ts";
import { rawFromJson } from "./json-data.ts";
import {
  checkNoSequence,
  type InferRequest,
  type ModelMetadata,
  priorityOf,
  type TensorMetadata,
  timeoutUsOf,
} from "./message.ts";
import { elementCount, shapeText, type Tensor } from "./tensor.ts";

/** Longest line that is a row; a longer one must be a V2 request. */
export const longestRowBytes = 4 * 2 ** 20;

/**
 * @example
 * lineRequest(bytesOf('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}'), undefined);
 * lineRequest(bytesOf("[1, 2]"), metadata); // the same, for a model whose only input is x FP32[-1,2]
 * lineRequest(bytesOf('{"x": [1, 2]}'), metadata); // the same; this form is for models of several inputs
 *
 * @param metadata what the model takes; undefined: not known, so that the line must be a V2 request
 * @throws ProtocolError when the line is neither
 */
export function lineRequest(line: Uint8Array, metadata: ModelMetadata | undefined): InferRequest {
  if (isV2Request(line)) {
    const request = decodeInferRequest(line);
    priorityOf(request);
    timeoutUsOf(request);
    checkNoSequence(request);
    return request;
  }
  if (line.length > longestRowBytes)
    throw new ProtocolError(
      `the row has ${line.length} bytes; allowed: at most ${longestRowBytes}, or a V2 request`,
      413,
    );
  const value = parseJson(line, "the row", { kind: "message" });
  if (metadata === undefined)
    throw new ProtocolError("no server says what a row of the model is; allowed: V2 requests");
  return rowRequest(value, metadata);
}

/** Whether a line is an object with `inputs`, as far as its text tells without being parsed. */
export function isV2Request(line: Uint8Array): boolean {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length);
  return /^\s*\{/.test(text.subarray(0, 64).toString("latin1")) && text.includes('"inputs"');
}

function rowRequest(value: unknown, { name, inputs }: ModelMetadata): InferRequest {
  const [only, ...others] = inputs;
  if (only === undefined) throw new ProtocolError(`model "${name}" has no inputs`);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) {
    if (others.length === 0) return { parameters: {}, inputs: [rowTensor(only, value)] };
    const names = inputs.map((input) => input.name).join(", ");
    throw new ProtocolError(`the row is ${showValue(value)}; allowed: an object with ${names}`);
  }
  const values = new Map(Object.entries(value));
  const unknown = [...values.keys()].find((key) => inputs.every((input) => input.name !== key));
  if (unknown !== undefined) {
    const names = inputs.map((input) => input.name).join(", ");
    throw new ProtocolError(`no input ${showValue(unknown)}; allowed: ${names}`);
  }
  return { parameters: {}, inputs: inputs.map((input) => rowTensor(input, values.get(input.name))) };
}

/** A first dimension that varies, or is 1, counts rows; any other belongs to the value. */
function rowTensor({ name, datatype, shape }: TensorMetadata, value: unknown): Tensor {
  const place = `input ${showValue(name)}`;
  if (value === undefined) throw new ProtocolError(`${place} is missing`);
  const hasRows = shape[0] === -1 || shape[0] === 1;
  const own = sizesOf(hasRows ? shape.slice(1) : shape, value, place);
  const isFlat = own.length !== 1 && Array.isArray(value) && !Array.isArray(value[0]);
  const full = hasRows ? [1, ...own] : own;
  const data = (hasRows && !isFlat) || full.length === 0 ? [value] : value;
  return { name, datatype, shape: full, data: rawFromJson(datatype, full, data, place) };
}

/** The dimensions with those that vary as the value has them. */
function sizesOf(shape: readonly number[], value: unknown, place: string): number[] {
  const isFlat = Array.isArray(value) && !Array.isArray(value[0]);
  const open = shape.filter((size) => size === -1).length;
  // A flat list tells one open dimension.
  if (isFlat && shape.length !== 1 && open <= 1) {
    const others = elementCount(shape.filter((size) => size !== -1));
    return shape.map((size) =>
      size === -1 ? Math.floor((value as unknown[]).length / (others || 1)) : size,
    );
  }
  let level: unknown = value;
  return shape.map((size, axis) => {
    if (!Array.isArray(level))
      throw new ProtocolError(
        `${place} is ${showValue(level)} at nesting depth ${axis}; a row has the shape ${shapeText(shape)}`,
      );
    const { length } = level;
    level = level[0];
    return size === -1 ? length : size;
  });
}
