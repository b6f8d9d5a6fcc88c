/** The messages of the protocol as values, and the request parameters that Spillway acts upon. */
import type { Datatype } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { showValue } from "../base/error-text.ts";
import type { Parameters, Tensor } from "./tensor.ts";

export interface RequestedOutput {
  name: string;
  parameters?: Parameters;
}

export interface InferRequest {
  id?: string | undefined;
  parameters: Parameters;
  /** One or more, with different names. */
  inputs: Tensor[];
  /** Outputs to return; absent for all. */
  outputs?: RequestedOutput[];
  /** The same for requests that differ in nothing but their id and the bytes of their data. */
  template?: RequestTemplate;
}

/** What follows from the head of a request alone, kept for the next one with the same head. Absent: not found out yet. */
export interface RequestTemplate {
  /** See `stackKey`: of the whole request, and without its outputs. */
  stackKey?: string;
  inputsKey?: string;
  /** The metadata of the model that its inputs were last found to fit, beside what they depend on. */
  fits?: { readonly metadata: ModelMetadata; readonly hasSeparateRows: boolean };
}

export interface InferResponse {
  /** Empty when the server did not say. */
  modelName: string;
  modelVersion?: string | undefined;
  /** The id of the request, if it had one. */
  id?: string | undefined;
  parameters: Parameters;
  outputs: Tensor[];
}

/** An HTTP body and the value of its Inference-Header-Content-Length; absent when the body is all JSON. */
export interface WireBody {
  body: Uint8Array;
  headerBytes?: number;
}

/** The same as it lies in memory: pieces that are one body when they are put together. */
export interface WireParts {
  parts: readonly Uint8Array[];
  headerBytes?: number;
}

/** The pieces of a body in either form. */
export function bodyPieces(wire: WireBody | WireParts): readonly Uint8Array[] {
  return "parts" in wire ? wire.parts : [wire.body];
}

export interface TensorMetadata {
  name: string;
  datatype: Datatype;
  /** -1 for a dimension that may vary. */
  shape: number[];
  /** An extension: `example_shape` is a JSON list of dimensions that suit the model where they may vary. */
  parameters?: Parameters;
}

/** The answer to GET v2/models/{name}. */
export interface ModelMetadata {
  name: string;
  versions?: string[];
  /** Such as `onnx_onnxv1`. */
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
  /** An extension: `replicas` is how many batches of the model are served at once. */
  parameters?: Parameters;
}

/** The priority parameter: 1 is the most urgent, larger numbers are less urgent, 0 is the server's default. */
export function priorityOf(request: InferRequest): number {
  const priority = request.parameters["priority"] ?? 0;
  if (typeof priority === "number" && Number.isSafeInteger(priority) && priority >= 0) return priority;
  throw new ProtocolError(`parameters.priority is ${showValue(priority)}; allowed: integers of 0 or more`);
}

/** The timeout parameter, in microseconds from when the server receives the request; undefined for none. */
export function timeoutUsOf(request: InferRequest): number | undefined {
  const timeoutUs = request.parameters["timeout"];
  if (timeoutUs === undefined) return undefined;
  if (typeof timeoutUs === "number" && Number.isSafeInteger(timeoutUs) && timeoutUs > 0) return timeoutUs;
  throw new ProtocolError(`parameters.timeout is ${showValue(timeoutUs)}; allowed: positive integers (µs)`);
}

/** The header that says how long the caller waits for the answer, in milliseconds. */
export const withinHeader = "spillway-within-ms";

/** The header of an answer that names the request by an id of the server's own, since callers' ids repeat. */
export const requestIdHeader = "Spillway-Request-Id";

/**
 * How long the caller waits, by `withinHeader`; undefined when it does not say.
 *
 * @throws ProtocolError
 */
export function withinMsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^[0-9]{1,12}(\.[0-9]{1,6})?$/.test(header) ? Number(header) : 0;
  if (ms > 0) return ms;
  throw new ProtocolError(`${withinHeader} is ${showValue(header)}; allowed: milliseconds above 0`);
}

/**
 * Refuses a step of a sequence: its state would have to stay with one server.
 *
 * @throws ProtocolError that says so
 */
export function checkNoSequence(request: InferRequest): void {
  for (const name of ["sequence_id", "sequence_start", "sequence_end"]) {
    const value = request.parameters[name];
    if (value === undefined || value === 0 || value === "" || value === false) continue;
    throw new ProtocolError(`parameters.${name} is ${showValue(value)}; sequences are not supported`);
  }
}
