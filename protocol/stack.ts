/** Requests joined to a batch along their first dimension, and a batched response cut back into answers. */
import { createHash } from "node:crypto";
import { bytesOffsets } from "./bytes-elements.ts";
import { ProtocolError } from "./errors.ts";
import type { InferRequest, InferResponse, RequestedOutput } from "./message.ts";
import { showValue } from "../base/error-text.ts";
import {
  checkTensor,
  dataPieces,
  elementCount,
  type ParameterValue,
  type Parameters,
  pieceTensor,
  shapeText,
  type Tensor,
} from "./tensor.ts";

/** Rows of a request: the first dimension, which must be 1 or more and the same for all inputs (ProtocolError). */
export function rowsOf(request: InferRequest): number {
  const [first] = request.inputs;
  if (first === undefined) throw new ProtocolError("the request has no inputs");
  const rows = first.shape[0];
  for (const input of request.inputs) {
    const own = input.shape[0];
    if (own === undefined || own === 0) {
      throw new ProtocolError(
        `input ${showValue(input.name)} has shape ${shapeText(input.shape)}; its first dimension must be 1 row or more`,
      );
    }
    if (own !== rows) {
      throw new ProtocolError(
        `input ${showValue(first.name)} has ${rows} rows and input ${showValue(input.name)} has ${own}; ` +
          "all inputs must have as many rows",
      );
    }
  }
  return rows ?? 0;
}

/** Rows that all the tensors have in common, which may be none; undefined when they have no such dimension. */
export function commonRows(tensors: readonly Tensor[]): number | undefined {
  const rows = tensors[0]?.shape[0];
  return tensors.every(({ shape }) => shape[0] === rows) ? rows : undefined;
}

/**
 * A key that is equal for requests that may be stacked. They have the same inputs (name, datatype, and shape beyond the
 * first dimension) and requested outputs, both in any order, and the same shared parameters (see `sharedEntries`). It is
 * a digest of 43 characters, because many are kept, and a caller's parameters may be long.
 */
export function stackKey(request: InferRequest): string {
  const { template } = request;
  if (template === undefined) return digestOf(request);
  return (template.stackKey ??= digestOf(request));
}

/** The key of a request whatever outputs it wants, for those who make all of them anyway. */
export function inputsKey({ parameters, inputs, template }: InferRequest): string {
  if (template === undefined) return digestOf({ parameters, inputs });
  return (template.inputsKey ??= digestOf({ parameters, inputs }));
}

function digestOf(request: InferRequest): string {
  const key = JSON.stringify([
    request.inputs
      .map(({ name, datatype, shape, parameters }) => [
        name,
        datatype,
        shape.length === 0 ? null : shape.slice(1),
        keyEntries(parameters),
      ])
      .toSorted(byName),
    outputsKey(request),
    keyEntries(request.parameters),
  ]);
  return createHash("sha256").update(key).digest("base64url");
}

/**
 * One request with the rows of all, in order; inputs are in the order of the first request. It has no id, and only the
 * shared parameters. Requests that may not be stacked are a ProtocolError that names both. A single request needs no
 * rows, and its data is not copied.
 */
export function stackRequests(requests: readonly InferRequest[]): InferRequest {
  const [first] = requests;
  if (first === undefined) throw new RangeError("stackRequests: requests has 0 entries; allowed: 1 or more");
  const isSingle = requests.length === 1;
  const rows = isSingle ? 0 : requests.reduce((sum, request) => sum + rowsOf(request), 0);
  for (let index = 1; index < requests.length; index++) {
    const request = requests[index] as InferRequest;
    if (!hasSameHead(first, request)) checkShared(first, request, index);
  }
  const inputs = first.inputs.map((input, nth): Tensor => {
    if (isSingle) return input;
    const pieces: Uint8Array[] = [];
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index] as InferRequest;
      const isKnown = index === 0 || hasSameHead(first, request);
      const found = isKnown ? (request.inputs[nth] as Tensor) : matchingInput(input, first, request, index);
      for (const piece of dataPieces(found)) pieces.push(piece);
    }
    const { name, datatype, parameters } = input;
    const about = { name, datatype, shape: [rows, ...input.shape.slice(1)] };
    return pieceTensor(parameters === undefined ? about : { ...about, parameters }, pieces);
  });
  return {
    parameters: Object.fromEntries(sharedEntries(first.parameters)),
    inputs,
    ...(first.outputs && { outputs: first.outputs.map(sharedOutput) }),
  };
}

/**
 * The response cut into one for each request: part i has rows[i] rows of every output and the id ids[i]. The parts share
 * the memory of the response. An output with another number of rows is the fault of the server that answered: a
 * ProtocolError with status 502.
 */
export function splitResponse(
  response: InferResponse,
  rows: readonly number[],
  ids: readonly (string | undefined)[],
): InferResponse[] {
  if (rows.length !== ids.length) {
    throw new RangeError(
      `splitResponse: rows has ${rows.length} entries and ids ${ids.length}; they must agree`,
    );
  }
  const { modelName, modelVersion, parameters } = response;
  return cutRows(response.outputs, rows).map((outputs, part) => {
    return { modelName, modelVersion, id: ids[part], parameters, outputs };
  });
}

function splitTensor(output: Tensor, rows: readonly number[]): Tensor[] {
  const { name, datatype, shape, data } = output;
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (shape[0] !== total) {
    throw new ProtocolError(
      `output ${showValue(name)} has shape ${shapeText(shape)}; the batch has ${total} rows, so its first dimension must`,
      502,
    );
  }
  try {
    checkTensor(output, `output ${showValue(name)}`);
  } catch (error) {
    throw error instanceof ProtocolError ? new ProtocolError(error.message, 502) : error;
  }
  const perRow = elementCount(shape.slice(1));
  const offsets = datatype === "BYTES" ? bytesOffsets(data, total * perRow, name) : undefined;
  const startOf = (row: number): number =>
    offsets === undefined ? (data.length / total) * row : (offsets[row * perRow] ?? 0);
  const { parameters } = output;
  const inner = shape.slice(1);
  let row = 0;
  return rows.map((count): Tensor => {
    const part = data.subarray(startOf(row), startOf(row + count));
    row += count;
    const own = { name, datatype, shape: [count, ...inner], data: part };
    return parameters === undefined ? own : { ...own, parameters };
  });
}

/**
 * Some rows of a request as a request of its own, with the same id and parameters. It shares the memory of the request.
 *
 * @param toRow the row after the last one
 * @throws ProtocolError when the data of an input does not fit its shape
 */
export function rowsOfRequest(request: InferRequest, fromRow: number, toRow: number): InferRequest {
  const rows = rowsOf(request);
  const counts = [fromRow, toRow - fromRow, rows - toRow].filter((count) => count > 0);
  return { ...request, inputs: cutRows(request.inputs, counts)[fromRow > 0 ? 1 : 0] as Tensor[] };
}

/**
 * The answer to a request, from the answers to its rows in order. What is not of the rows comes from the first.
 *
 * @throws ProtocolError when the answers differ in outputs, datatypes or shapes
 */
export function joinResponses(answers: readonly InferResponse[]): InferResponse {
  const [first] = answers;
  if (first === undefined) throw new RangeError("joinResponses: answers has 0 entries; allowed: 1 or more");
  return { ...first, outputs: joinRows(answers.map(({ outputs }) => outputs)) };
}

/** The tensors of several requests, of equal names, datatypes and shapes, joined along the first dimension. */
export function joinRows(parts: readonly (readonly Tensor[])[]): Tensor[] {
  return stackRequests(parts.map((inputs) => ({ parameters: {}, inputs: [...inputs] }))).inputs;
}

/** Tensors cut along the first dimension: part i has rows[i] rows of each. Throws like splitResponse. */
export function cutRows(tensors: readonly Tensor[], rows: readonly number[]): Tensor[][] {
  const wrong = rows.find((count) => !Number.isSafeInteger(count) || count < 1);
  if (wrong !== undefined) throw new RangeError(`cutRows: rows has ${wrong}; allowed: positive integers`);
  const parts = tensors.map((tensor) => splitTensor(tensor, rows));
  return rows.map((_, part) => parts.map((each) => each[part] as Tensor));
}

/**
 * The parameters that the requests of a batch must have in common, sorted by name. A parameter that nobody here knows may
 * change what a model does, so it counts; those of transport and scheduling never reach the model.
 */
export function sharedEntries(parameters: Parameters | undefined): [string, ParameterValue][] {
  return Object.entries(parameters ?? {})
    .filter(([name]) => !/^(priority$|timeout$|binary_data|spillway_)/.test(name))
    .toSorted(byName);
}

/** The shared parameters as JSON can state them, so that different ones stay different. */
function keyEntries(parameters: Parameters | undefined): unknown[] {
  return sharedEntries(parameters).map(([name, value]) => [
    name,
    typeof value === "bigint" ? [String(value)] : value,
  ]);
}

function isShared(a: Parameters | undefined, b: Parameters | undefined): boolean {
  return JSON.stringify(keyEntries(a)) === JSON.stringify(keyEntries(b));
}

/** Orders entries by their first item, whatever the locale. */
export function byName(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}

function sharedOutput({ name, parameters }: RequestedOutput): RequestedOutput {
  const shared = sharedEntries(parameters);
  return { name, ...(shared.length > 0 && { parameters: Object.fromEntries(shared) }) };
}

function outputsKey({ outputs }: InferRequest): unknown {
  return outputs?.map(({ name, parameters }) => [name, keyEntries(parameters)]).toSorted(byName) ?? null;
}

/** Such requests differ in nothing but their id, their rows and their data. */
function hasSameHead({ template }: InferRequest, other: InferRequest): boolean {
  return template !== undefined && template === other.template;
}

function checkShared(first: InferRequest, request: InferRequest, index: number): void {
  const both = `(${label(first, 0)} and ${label(request, index)})`;
  const [count, others] = [first.inputs.length, request.inputs.length];
  if (count !== others) throw new ProtocolError(`cannot stack ${count} inputs with ${others} inputs ${both}`);
  if (JSON.stringify(outputsKey(request)) !== JSON.stringify(outputsKey(first)))
    throw new ProtocolError(`cannot stack requests for different outputs ${both}`);
  if (!isShared(request.parameters, first.parameters))
    throw new ProtocolError(`cannot stack requests with different parameters ${both}`);
}

function matchingInput(input: Tensor, first: InferRequest, request: InferRequest, index: number): Tensor {
  const name = showValue(input.name);
  const both = `(${label(first, 0)} and ${label(request, index)})`;
  const found = request.inputs.find((candidate) => candidate.name === input.name);
  if (found === undefined)
    throw new ProtocolError(`input ${name} is missing in one of the two; cannot stack them ${both}`);
  const sameShape = shapeText(found.shape.slice(1)) === shapeText(input.shape.slice(1));
  if (found.datatype !== input.datatype || !sameShape || found.shape.length !== input.shape.length) {
    const [a, b] = [input, found].map(({ datatype, shape }) => `${datatype}${shapeText(shape)}`);
    throw new ProtocolError(`input ${name}: cannot stack ${a} with ${b} ${both}`);
  }
  if (!isShared(found.parameters, input.parameters))
    throw new ProtocolError(`input ${name}: cannot stack different parameters ${both}`);
  return found;
}

function label(request: InferRequest, index: number): string {
  return request.id === undefined ? `request number ${index + 1}` : `request ${showValue(request.id)}`;
}
