/** The frame around a call of a function, which takes bytes only: a 32-bit length, a JSON head, then the HTTP body. */
import { showValue } from "../base/error-text.ts";
import { Buffer } from "node:buffer";
import { rawBytes } from "./datatype.ts";
import { ProtocolError } from "./errors.ts";
import { type JsonObject, parseJson, readInteger, readName, readObject, readOptionalText } from "./fields.ts";
import type { WireBody } from "./message.ts";

/** The longest head, padding included, in bytes. */
export const maxHeadBytes = 16 * 1024;
const lengthBytes = 4;
const alignmentBytes = 8;

export interface EnvelopeCall {
  /** Not empty. */
  model: string;
  /** Default: the server chooses. */
  version?: string | undefined;
  /**
   * A V2 path that is asked with GET in place of an inference, such as `/v2/models/m`. A function that does not know of
   * questions takes one for an inference without a body, and refuses it.
   */
  get?: string | undefined;
  wire: WireBody;
}

export interface EnvelopeReply {
  /** HTTP status, 100 to 599. */
  status: number;
  wire: WireBody;
}

/** Throws a ProtocolError when the head is too long or a field is out of range. */
export function packCall(call: EnvelopeCall): Uint8Array {
  readName(call.model, "call head.model");
  return pack("call", { model: call.model, version: call.version, get: call.get }, call.wire);
}

/** Throws only ProtocolError. The body is not copied. */
export function unpackCall(bytes: Uint8Array): EnvelopeCall {
  const { head, wire } = unpack("call", bytes);
  const version = readOptionalText(head["version"], "call head.version");
  const get = readOptionalText(head["get"], "call head.get");
  if (get !== undefined && !/^\/v2(?:\/|$)/.test(get))
    throw new ProtocolError(`call head.get is ${showValue(get)}; allowed: a path such as /v2/models/NAME`);
  const model = readName(head["model"], "call head.model");
  return { model, version, ...(get !== undefined && { get }), wire };
}

/** Throws a ProtocolError when a field is out of range. */
export function packReply(reply: EnvelopeReply): Uint8Array {
  return pack("reply", { status: readStatus(reply.status) }, reply.wire);
}

/** Throws only ProtocolError. The body is not copied. */
export function unpackReply(bytes: Uint8Array): EnvelopeReply {
  const { head, wire } = unpack("reply", bytes);
  return { status: readStatus(head["status"]), wire };
}

function readStatus(value: unknown): number {
  return readInteger(value, "reply head.status", 100, 599);
}

function pack(what: string, head: Readonly<Record<string, unknown>>, wire: WireBody): Uint8Array {
  const { body, headerBytes } = wire;
  if (headerBytes !== undefined) readInteger(headerBytes, `${what} head.headerBytes`, 0, body.length);
  const text = JSON.stringify({ ...head, headerBytes });
  // Padded with spaces, so that the body stays aligned.
  const unpadded = lengthBytes + Buffer.byteLength(text);
  const start = Math.ceil(unpadded / alignmentBytes) * alignmentBytes;
  checkHeadBytes(what, start - lengthBytes);
  const frame = Buffer.allocUnsafeSlow(start + body.length);
  frame.writeUInt32LE(start - lengthBytes, 0);
  frame.write(text, lengthBytes);
  frame.fill(0x20, unpadded, start);
  frame.set(body, start);
  return rawBytes(frame);
}

function unpack(what: string, bytes: Uint8Array): { head: JsonObject; wire: WireBody } {
  if (bytes.length < lengthBytes) {
    throw new ProtocolError(`${what} frame has ${bytes.length} bytes; allowed: ${lengthBytes} or more`);
  }
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  checkHeadBytes(what, headBytes);
  const left = bytes.length - lengthBytes;
  if (headBytes > left)
    throw new ProtocolError(`${what} frame says its head has ${headBytes} bytes; ${left} bytes are left`);
  const at = bytes.byteOffset + lengthBytes;
  const head = readObject(
    parseJson(new Uint8Array(bytes.buffer, at, headBytes), `${what} head`),
    `${what} head`,
  );
  const body = new Uint8Array(bytes.buffer, at + headBytes, left - headBytes);
  if (head["headerBytes"] === undefined) return { head, wire: { body } };
  const headerBytes = readInteger(head["headerBytes"], `${what} head.headerBytes`, 0, body.length);
  return { head, wire: { body, headerBytes } };
}

function checkHeadBytes(what: string, headBytes: number): void {
  if (headBytes > maxHeadBytes)
    throw new ProtocolError(`${what} head has ${headBytes} bytes; allowed: at most ${maxHeadBytes}`);
}
