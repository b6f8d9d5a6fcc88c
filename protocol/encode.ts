/** Messages to HTTP bodies: plain JSON, or JSON followed by the binary data of tensors. */
import { Buffer } from "node:buffer";
import { ProtocolError } from "./errors.ts";
import { type JsonDialect, jsonFromRaw } from "./json-data.ts";
import { maxJsonBytes } from "./fields.ts";
import type { InferRequest, InferResponse, WireBody, WireParts } from "./message.ts";
import { rawBytes } from "./datatype.ts";
import { showValue } from "../base/error-text.ts";
import {
  checkTensor,
  dataBytes,
  dataPieces,
  type ParameterValue,
  type Parameters,
  shapeText,
  type Tensor,
} from "./tensor.ts";

/** Binary data starts at a multiple of this, so that readers can use 64-bit elements in place. */
const alignmentBytes = 8;

/** The body of a request, in one piece; see `encodeRequestParts`. */
export function encodeInferRequest(request: InferRequest, options: { binary: boolean }): WireBody {
  return oneBody(encodeRequestParts(request, options));
}

/**
 * The body of a request, in pieces. With `binary`, inputs are sent as binary data and outputs are requested as binary data, unless an
 * output's own binary_data parameter says otherwise. Without it, nothing is said of binary data, for servers that do not
 * know it, and inputs that JSON cannot state are a ProtocolError.
 */
export function encodeRequestParts(request: InferRequest, options: { binary: boolean }): WireParts {
  const parameters = options.binary
    ? { ...request.parameters, binary_data_output: true }
    : withoutBinary(request.parameters);
  const outputs = request.outputs?.map(({ name, parameters: own }) => {
    const kept = options.binary ? own : withoutBinary(own);
    const parametersOf = parametersText(kept);
    return `{"name":${quoted(name)}${parametersOf === undefined ? "" : `,"parameters":${parametersOf}`}}`;
  });
  return joinBody(
    member("id", optionalText(request.id)) +
      member("parameters", parametersText(parameters)) +
      member("outputs", outputs && `[${outputs.join(",")}]`),
    "inputs",
    request.inputs,
    () => options.binary,
    { isLenient: !options.binary },
  );
}

function oneBody({ parts, headerBytes }: WireParts): WireBody {
  const [only = new Uint8Array()] = parts;
  if (headerBytes === undefined) return { body: only };
  let totalBytes = 0;
  for (const { length } of parts) totalBytes += length;
  const body = Buffer.allocUnsafeSlow(totalBytes);
  let at = 0;
  for (const data of parts) {
    body.set(data, at);
    at += data.length;
  }
  return { body: rawBytes(body), headerBytes };
}

/** Parameters for a server that may refuse what it does not know. */
function withoutBinary(parameters: Parameters | undefined): Parameters | undefined {
  if (parameters === undefined) return undefined;
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.startsWith("binary_data")));
}

/** The body of a response. `wants` says which outputs are binary; what JSON cannot state must be (ProtocolError). */
export function encodeInferResponse(
  response: InferResponse,
  wants: (outputName: string) => boolean,
): WireBody {
  return oneBody(encodeResponseParts(response, wants));
}

/** The same in pieces: the head, and the data of tensors where it is in memory. */
export function encodeResponseParts(
  response: InferResponse,
  wants: (outputName: string) => boolean,
): WireParts {
  return joinBody(
    member("model_name", quoted(response.modelName)) +
      member("model_version", optionalText(response.modelVersion)) +
      member("id", optionalText(response.id)) +
      member("parameters", parametersText(response.parameters)),
    "outputs",
    response.outputs,
    wants,
  );
}

/** Whether a request wants an output as binary data: by the output's own binary_data, else by binary_data_output. */
export function binaryWanted(request: InferRequest): (outputName: string) => boolean {
  const byDefault = request.parameters["binary_data_output"] === true;
  if (request.outputs === undefined) return byDefault ? always : notEver;
  const own = new Map(request.outputs.map(({ name, parameters }) => [name, parameters?.["binary_data"]]));
  return (outputName) => {
    const wanted = own.get(outputName);
    return typeof wanted === "boolean" ? wanted : byDefault;
  };
}

const always = (): boolean => true;
const notEver = (): boolean => false;

/** @param head the members before the tensors, each with a comma behind it */
function joinBody(
  head: string,
  key: "inputs" | "outputs",
  tensors: readonly Tensor[],
  isBinary: (name: string) => boolean,
  dialect: JsonDialect = {},
): WireParts {
  const binary: Uint8Array[] = [];
  let texts = "";
  for (const tensor of tensors) {
    let text: string;
    if (isBinary(tensor.name)) {
      checkTensor(tensor);
      for (const piece of dataPieces(tensor)) binary.push(piece);
      text = tensorText(tensor, parametersText(tensor.parameters, dataBytes(tensor)), undefined);
    } else text = tensorText(tensor, parametersText(tensor.parameters), jsonFromRaw(tensor, dialect));
    texts += texts === "" ? text : `,${text}`;
    // Before joining, because V8 throws its own error for strings beyond its longest.
    if (texts.length > maxJsonBytes) {
      throw new ProtocolError(
        `${key} take ${texts.length} characters of JSON; allowed: at most ${maxJsonBytes}; use binary data`,
      );
    }
  }
  // Put together as text, because JavaScript numbers do not hold all 64-bit integers.
  const json = `{${head}"${key}":[${texts}]}`;
  if (binary.length === 0) return { parts: [rawBytes(Buffer.from(json))] };
  const headerBytes = Math.ceil(Buffer.byteLength(json) / alignmentBytes) * alignmentBytes;
  const bytes = Buffer.allocUnsafe(headerBytes);
  // White space may follow JSON.
  bytes.fill(0x20, bytes.write(json), headerBytes);
  return { parts: [bytes, ...binary], headerBytes };
}

function tensorText(tensor: Tensor, parameters: string | undefined, data: string | undefined): string {
  const { name, datatype, shape } = tensor;
  const more =
    (parameters === undefined ? "" : `,"parameters":${parameters}`) +
    (data === undefined ? "" : `,"data":${data}`);
  return `{"name":${quoted(name)},"datatype":"${datatype}","shape":${shapeText(shape)}${more}}`;
}

/** A member of a JSON object from a text that is JSON already; nothing where that is undefined. */
function member(name: string, text: string | undefined): string {
  return text === undefined ? "" : `"${name}":${text},`;
}

/** @param binaryBytes added as `binary_data_size` */
function parametersText(parameters: Parameters | undefined, binaryBytes?: number): string | undefined {
  let all = "";
  for (const name of Object.keys(parameters ?? {})) {
    if (name === "binary_data_size" && binaryBytes !== undefined) continue;
    const value = (parameters as Parameters)[name] as ParameterValue;
    if (typeof value === "number" && !Number.isFinite(value))
      throw new ProtocolError(`parameter ${showValue(name)} is ${value}; allowed: finite numbers`);
    all += `${all === "" ? "" : ","}${quoted(name)}:${parameterText(value)}`;
  }
  if (binaryBytes !== undefined) all += `${all === "" ? "" : ","}"binary_data_size":${binaryBytes}`;
  return all === "" ? undefined : `{${all}}`;
}

/** All digits of an integer: JSON.stringify has no form for big ones, and rounds those of 2^53 and more. */
function parameterText(value: ParameterValue): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "number" || Object.is(value, -0)) return JSON.stringify(value);
  if (!Number.isInteger(value)) return String(value);
  if (Number.isSafeInteger(value)) return String(value);
  return Math.abs(value) < 1e21 ? String(BigInt(value)) : String(value);
}

function optionalText(text: string | undefined): string | undefined {
  return text === undefined ? undefined : quoted(text);
}

const plainText = /^[ !#-[\]-~]{0,100}$/;

/** As `JSON.stringify`, which takes longer than the rest of an answer for its many short names. */
function quoted(text: string): string {
  return plainText.test(text) ? `"${text}"` : JSON.stringify(text);
}
