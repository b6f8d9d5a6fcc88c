/** Messages to HTTP bodies: plain JSON, or JSON followed by the binary data of tensors. */
import { Buffer } from "node:buffer";
import { ProtocolError } from "./errors.ts";
import { type JsonDialect, jsonFromRaw } from "./json-data.ts";
import { maxJsonBytes } from "./fields.ts";
import type { InferRequest, InferResponse, WireBody } from "./message.ts";
import { rawBytes } from "./datatype.ts";
import { showValue } from "../base/error-text.ts";
import { checkTensor, type ParameterValue, type Parameters, shapeText, type Tensor } from "./tensor.ts";

/** Binary data starts at a multiple of this, so that readers can use 64-bit elements in place. */
const alignmentBytes = 8;

/**
 * The body of a request. With `binary`, inputs are sent as binary data and outputs are requested as binary data, unless an
 * output's own binary_data parameter says otherwise. Without it, nothing is said of binary data, for servers that do not
 * know it, and inputs that JSON cannot state are a ProtocolError.
 */
export function encodeInferRequest(request: InferRequest, options: { binary: boolean }): WireBody {
  const parameters = options.binary
    ? { ...request.parameters, binary_data_output: true }
    : withoutBinary(request.parameters);
  const outputs = request.outputs?.map(({ name, parameters: own }) => {
    const kept = options.binary ? own : withoutBinary(own);
    return `{${members({ name: JSON.stringify(name), parameters: parametersText(kept) })}}`;
  });
  return joinBody(
    {
      id: optionalText(request.id),
      parameters: parametersText(parameters),
      outputs: outputs && `[${outputs.join(",")}]`,
    },
    "inputs",
    request.inputs,
    () => options.binary,
    { isLenient: !options.binary },
  );
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
  return joinBody(
    {
      model_name: JSON.stringify(response.modelName),
      model_version: optionalText(response.modelVersion),
      id: optionalText(response.id),
      parameters: parametersText(response.parameters),
    },
    "outputs",
    response.outputs,
    wants,
  );
}

/** Whether a request wants an output as binary data: by the output's own binary_data, else by binary_data_output. */
export function binaryWanted(request: InferRequest): (outputName: string) => boolean {
  const byDefault = request.parameters["binary_data_output"] === true;
  const own = new Map(request.outputs?.map(({ name, parameters }) => [name, parameters?.["binary_data"]]));
  return (outputName) => {
    const wanted = own.get(outputName);
    return typeof wanted === "boolean" ? wanted : byDefault;
  };
}

function joinBody(
  head: Readonly<Record<string, string | undefined>>,
  key: "inputs" | "outputs",
  tensors: readonly Tensor[],
  isBinary: (name: string) => boolean,
  dialect: JsonDialect = {},
): WireBody {
  const binary: Uint8Array[] = [];
  const texts = tensors.map((tensor) => {
    if (!isBinary(tensor.name))
      return tensorText(tensor, parametersText(tensor.parameters), jsonFromRaw(tensor, dialect));
    checkTensor(tensor);
    binary.push(tensor.data);
    const parameters = { ...tensor.parameters, binary_data_size: tensor.data.length };
    return tensorText(tensor, parametersText(parameters), undefined);
  });
  // Before joining, because V8 throws its own error for strings beyond its longest.
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  if (characters > maxJsonBytes) {
    throw new ProtocolError(
      `${key} take ${characters} characters of JSON; allowed: at most ${maxJsonBytes}; use binary data`,
    );
  }
  // Put together as text, because JavaScript numbers do not hold all 64-bit integers.
  const json = `{${members({ ...head, [key]: `[${texts.join(",")}]` })}}`;
  return binary.length === 0 ? { body: rawBytes(Buffer.from(json)) } : withBinary(json, binary);
}

function withBinary(json: string, binary: readonly Uint8Array[]): WireBody {
  const headerBytes = Math.ceil(Buffer.byteLength(json) / alignmentBytes) * alignmentBytes;
  const totalBytes = binary.reduce((sum, data) => sum + data.length, headerBytes);
  const body = Buffer.allocUnsafeSlow(totalBytes);
  // White space may follow JSON.
  body.fill(0x20, body.write(json), headerBytes);
  let at = headerBytes;
  for (const data of binary) {
    body.set(data, at);
    at += data.length;
  }
  return { body: rawBytes(body), headerBytes };
}

function tensorText(tensor: Tensor, parameters: string | undefined, data: string | undefined): string {
  const { name, datatype, shape } = tensor;
  return `{${members({
    name: JSON.stringify(name),
    datatype: JSON.stringify(datatype),
    shape: shapeText(shape),
    parameters,
    data,
  })}}`;
}

/** The members of a JSON object from texts that are JSON already, without those that are undefined. */
function members(texts: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(texts)
    .filter(([, text]) => text !== undefined)
    .map(([name, text]) => `${JSON.stringify(name)}:${text}`)
    .join(",");
}

function parametersText(parameters: Parameters | undefined): string | undefined {
  const entries = Object.entries(parameters ?? {});
  for (const [name, value] of entries) {
    if (typeof value === "number" && !Number.isFinite(value))
      throw new ProtocolError(`parameter ${showValue(name)} is ${value}; allowed: finite numbers`);
  }
  if (entries.length === 0) return undefined;
  return `{${members(Object.fromEntries(entries.map(([name, value]) => [name, parameterText(value)])))}}`;
}

/** All digits of an integer: JSON.stringify has no form for big ones, and rounds those of 2^53 and more. */
function parameterText(value: ParameterValue): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "number" || !Number.isInteger(value) || Object.is(value, -0))
    return JSON.stringify(value);
  return Math.abs(value) < 1e21 ? String(BigInt(value)) : String(value);
}

function optionalText(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text);
}
