/** HTTP bodies to messages. Whatever the bytes are, the only error is a ProtocolError with a 4xx status. */
import { Buffer } from "node:buffer";
import { datatypes, isDatatype, rawBytes } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import * as fields from "./fields.ts";
import { rawFromJson } from "./json-data.ts";
import type { InferRequest, InferResponse, RequestedOutput } from "./message.ts";
import { showValue } from "../base/error-text.ts";
import {
  checkTensor,
  elementCount,
  maxElements,
  type Parameters,
  type ParameterValue,
  pieceTensor,
  type Tensor,
} from "./tensor.ts";

/** The most tensors in a message. */
const maxTensors = 1024;
/** Most parameters of a request, its inputs and its requested outputs together, beside `binary_data_size`. */
export const mostParameters = 1_024 + maxTensors;
/** Most bytes of their names and values. */
export const mostParameterBytes = 2 ** 16;

/**
 * The request in a body, which is all JSON without `headerBytes`. Binary data stays in the memory of `body`, which may be in
 * pieces.
 */
export function decodeInferRequest(
  body: Uint8Array | readonly Uint8Array[],
  headerBytes?: number,
): InferRequest {
  const { json, binary } = openBody(body, headerBytes, "request");
  const inputs = readTensors(json["inputs"], "inputs", binary);
  if (inputs.length === 0) throw new ProtocolError("inputs is an empty array; allowed: one input or more");
  const parameters = fields.readParameters(json["parameters"], "parameters");
  fields.checkFlag(parameters, "binary_data_output", "parameters");
  const id = fields.readOptionalText(json["id"], "id");
  const outputs = readRequestedOutputs(json["outputs"]);
  checkParameters([{ parameters }, ...inputs, ...(outputs ?? [])]);
  return { id, parameters, inputs, ...(outputs && { outputs }) };
}

/**
 * The response in a body; see decodeInferRequest for the parameters and for who owns the memory. Servers differ, so what
 * does no harm is passed over: fields that are missing or null beside the outputs, parameters that are lists or objects.
 *
 * @param model the name of the model when the server does not say it
 */
export function decodeInferResponse(body: Uint8Array, headerBytes?: number, model = ""): InferResponse {
  const { json, binary } = openBody(body, headerBytes, "response");
  if (json["outputs"] === undefined && json["error"] !== undefined)
    throw new ProtocolError(`the response has an error and no outputs: ${showValue(json["error"])}`);
  const parameters = fields.readParameters(json["parameters"], "parameters", true);
  const outputs = readTensors(json["outputs"], "outputs", binary);
  return {
    modelName: textOf(json["model_name"]) ?? model,
    modelVersion: textOf(json["model_version"]),
    id: textOf(json["id"]),
    parameters,
    outputs,
  };
}

/** The queue keeps the parameters of what waits, and compares them to batch: they are few and short. */
function checkParameters(holders: readonly { readonly parameters?: Parameters }[]): void {
  const entries = holders.flatMap(({ parameters = {} }) => Object.entries(parameters));
  if (entries.length > mostParameters)
    throw new ProtocolError(
      `the request has ${entries.length} parameters; allowed: at most ${mostParameters}`,
    );
  const bytes = entries.reduce((sum, [name, value]) => sum + textBytes(name) + textBytes(value), 0);
  if (bytes > mostParameterBytes)
    throw new ProtocolError(
      `the parameters of the request have ${bytes} bytes; allowed: at most ${mostParameterBytes}`,
    );
}

function textBytes(value: ParameterValue): number {
  return typeof value === "string" ? Buffer.byteLength(value) : 8;
}

/** A string, or the digits of a number; undefined for anything else. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}

/** The JSON of a body, and what follows it; undefined when the body is all JSON. */
function openBody(
  body: Uint8Array | readonly Uint8Array[],
  headerBytes: number | undefined,
  what: "request" | "response",
): { readonly json: fields.JsonObject; readonly binary: ByteRun | undefined } {
  const run = new ByteRun(body instanceof Uint8Array ? [body] : body);
  // Other servers print NaN as Python does; what comes in as a request must be JSON.
  const options = { nonFinite: what === "response", kind: "message" } as const;
  if (headerBytes === undefined)
    return { json: fields.readObject(fields.parseJson(run.whole(), what, options), what), binary: undefined };
  if (headerBytes === 0) {
    throw new ProtocolError(
      "Inference-Header-Content-Length is 0; a raw body without a JSON header is not supported: describe the tensors in JSON",
    );
  }
  fields.readInteger(headerBytes, "Inference-Header-Content-Length", 1, run.left);
  const place = `${what} header`;
  const json = fields.readObject(fields.parseJson(inOnePiece(run.take(headerBytes)), place, options), place);
  return { json, binary: run };
}

/** Bytes that are taken from the front, without copying them. */
export class ByteRun {
  readonly #pieces: readonly Uint8Array[];
  #piece = 0;
  #at = 0;
  left = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    for (const { length } of pieces) this.left += length;
  }

  /** The next `bytes`, of which there must be as many, as plain arrays: the methods of a Buffer differ. */
  take(bytes: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    this.left -= bytes;
    for (let wanted = bytes; wanted > 0;) {
      const piece = this.#pieces[this.#piece] as Uint8Array;
      const length = Math.min(wanted, piece.length - this.#at);
      if (length > 0) taken.push(new Uint8Array(piece.buffer, piece.byteOffset + this.#at, length));
      wanted -= length;
      this.#at += length;
      if (this.#at < piece.length) continue;
      this.#piece++;
      this.#at = 0;
    }
    return taken;
  }

  /** Passes over the next `bytes`, of which there must be as many. */
  skip(bytes: number): void {
    this.left -= bytes;
    this.#at += bytes;
    for (let piece = this.#pieces[this.#piece]; piece !== undefined && this.#at >= piece.length;) {
      this.#at -= piece.length;
      piece = this.#pieces[++this.#piece];
    }
  }

  /** All that is left, in one piece. */
  whole(): Uint8Array {
    return inOnePiece(this.take(this.left));
  }
}

/** Bytes in one piece, without a copy where they are that already. */
export function inOnePiece(pieces: readonly Uint8Array[]): Uint8Array {
  const [only = new Uint8Array()] = pieces;
  return pieces.length < 2 ? only : rawBytes(Buffer.concat(pieces));
}

function readTensors(value: unknown, place: "inputs" | "outputs", binary: ByteRun | undefined): Tensor[] {
  const takeBinary = (bytes: number, tensorPlace: string): Uint8Array[] => {
    const left = binary?.left ?? 0;
    if (binary === undefined || bytes > left) {
      throw new ProtocolError(
        `${tensorPlace}.parameters.binary_data_size is ${bytes}; ` +
          (binary === undefined
            ? "there is no Inference-Header-Content-Length, so the body is all JSON"
            : `${left} bytes of the body are left`),
      );
    }
    return binary.take(bytes);
  };

  const tensors = readItems(value, place).map((tensor, index) =>
    readTensor(tensor, `${place}[${index}]`, takeBinary, place === "outputs"),
  );
  checkNames(tensors, place);
  const unused = binary?.left ?? 0;
  if (unused > 0)
    throw new ProtocolError(`the body has ${unused} bytes after the data of the last of the ${place}`);
  return tensors;
}

function readTensor(
  value: unknown,
  place: string,
  takeBinary: (bytes: number, place: string) => Uint8Array[],
  isLenient: boolean,
): Tensor {
  const json = fields.readObject(value, place);
  const name = fields.readName(json["name"], `${place}.name`);
  const datatype = json["datatype"];
  if (!isDatatype(datatype))
    throw new ProtocolError(`${place}.datatype is ${showValue(datatype)}; allowed: ${datatypes.join(", ")}`);
  const shape = readShape(json["shape"], `${place}.shape`);
  const all = fields.readParameters(json["parameters"], `${place}.parameters`, isLenient);
  checkNoSharedMemory(all, `${place}.parameters`);
  const binarySize = all["binary_data_size"];
  const parameters = withoutSize(all);
  const tensor = parameters === undefined ? { name, datatype, shape } : { name, datatype, shape, parameters };
  const named = (): string => `${place} (${showValue(name)})`;
  if (binarySize === undefined)
    return { ...tensor, data: rawFromJson(datatype, shape, json["data"], named(), { isLenient }) };
  if (json["data"] !== undefined && json["data"] !== null) {
    throw new ProtocolError(`${named()} has both data and parameters.binary_data_size; allowed: one`);
  }
  const sizePlace = `${place}.parameters.binary_data_size`;
  const bytes = fields.readInteger(binarySize, sizePlace, 0, Number.MAX_SAFE_INTEGER);
  const binaryTensor = pieceTensor(tensor, takeBinary(bytes, place));
  checkTensor(binaryTensor, named);
  return binaryTensor;
}

/** What a tensor keeps of its parameters; undefined where that is nothing. */
function withoutSize(parameters: Parameters): Parameters | undefined {
  const names = Object.keys(parameters);
  if (names.length === 0 || (names.length === 1 && names[0] === "binary_data_size")) return undefined;
  const { binary_data_size: _, ...kept } = parameters;
  return kept;
}

function readShape(value: unknown, place: string): number[] {
  const shape = fields
    .readArray(value, place)
    // Adding 0 turns -0 into 0.
    .map((size, axis) => fields.readInteger(size, `${place}[${axis}]`, 0, maxElements) + 0);
  elementCount(shape, maxElements, place);
  return shape;
}

function readRequestedOutputs(value: unknown): RequestedOutput[] | undefined {
  if (value === undefined || value === null) return undefined;
  const outputs = readItems(value, "outputs").map((output, index): RequestedOutput => {
    const place = `outputs[${index}]`;
    const json = fields.readObject(output, place);
    const parameters = fields.readParameters(json["parameters"], `${place}.parameters`);
    fields.checkFlag(parameters, "binary_data", `${place}.parameters`);
    checkNoSharedMemory(parameters, `${place}.parameters`);
    const name = fields.readName(json["name"], `${place}.name`);
    return Object.keys(parameters).length > 0 ? { name, parameters } : { name };
  });
  checkNames(outputs, "outputs");
  return outputs.length === 0 ? undefined : outputs;
}

/** Memory that caller and model share does not exist between machines: whoever asked for it would read old data there. */
export function checkNoSharedMemory(parameters: Parameters, place: string): void {
  const region = parameters["shared_memory_region"];
  if (region === undefined) return;
  throw new ProtocolError(
    `${place}.shared_memory_region is ${showValue(region)}; shared memory is not served here, send tensors in the body`,
  );
}

function readItems(value: unknown, place: string): readonly unknown[] {
  const items = fields.readArray(value, place);
  if (items.length <= maxTensors) return items;
  throw new ProtocolError(`${place} has ${items.length} entries; allowed: at most ${maxTensors}`);
}

function checkNames(items: readonly { readonly name: string }[], place: string): void {
  if (items.length < 2) return;
  const seen = new Map<string, number>();
  for (const [index, { name }] of items.entries()) {
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      throw new ProtocolError(
        `${place}[${index}].name is ${showValue(name)}, as is ${place}[${earlier}].name; allowed: different names`,
      );
    }
    seen.set(name, index);
  }
}
