// The frame around a call of a serverless function, whose invoke interface carries bytes only, no path, headers or status:
// a 32-bit little-endian length, a JSON head of that length, then the body as it would go over HTTP.

import { Buffer } from "node:buffer";
import { ProtocolError } from "./errors.ts";
import { type JsonObject, readInteger, readName, readObject, readOptionalText } from "./fields.ts";
import { parseJson } from "./json-text.ts";
import type { WireBody } from "./message.ts";
import { rawBytes } from "./raw-view.ts";

/** The longest head, padding included, in bytes. */
export const MAX_HEAD_BYTES = 16 * 1024;
const LENGTH_BYTES = 4;
const ALIGNMENT_BYTES = 8;

export interface Call {
  /** Not empty. */
  model: string;
  /** Absent to let the server choose. */
  version?: string;
  wire: WireBody;
}

export interface Reply {
  /** HTTP status, 100 to 599. */
  status: number;
  wire: WireBody;
}

/** Throws a ProtocolError if the names make the head too long, or a field is out of range. */
export function packCall(call: Call): Uint8Array {
  readName(call.model, "call head.model");
  return pack("call", { model: call.model, version: call.version }, call.wire);
}

/** Throws only ProtocolError. The body is not copied. */
export function unpackCall(bytes: Uint8Array): Call {
  const { head, wire } = unpack("call", bytes);
  const version = readOptionalText(head["version"], "call head.version");
  return {
    model: readName(head["model"], "call head.model"),
    ...(version !== undefined && { version }),
    wire,
  };
}

/** Throws a ProtocolError if a field is out of range. */
export function packReply(reply: Reply): Uint8Array {
  return pack("reply", { status: readStatus(reply.status) }, reply.wire);
}

/** Throws only ProtocolError. The body is not copied. */
export function unpackReply(bytes: Uint8Array): Reply {
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
  // Padded with spaces, so that the body keeps its alignment.
  const unpadded = LENGTH_BYTES + Buffer.byteLength(text);
  const start = Math.ceil(unpadded / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  checkHeadBytes(what, start - LENGTH_BYTES);
  const frame = Buffer.allocUnsafeSlow(start + body.length);
  frame.writeUInt32LE(start - LENGTH_BYTES, 0);
  frame.write(text, LENGTH_BYTES);
  frame.fill(0x20, unpadded, start);
  frame.set(body, start);
  return rawBytes(frame);
}

function unpack(what: string, bytes: Uint8Array): { head: JsonObject; wire: WireBody } {
  if (bytes.length < LENGTH_BYTES) {
    throw new ProtocolError(
      `${what} frame has ${bytes.length} bytes; it starts with a length of ${LENGTH_BYTES} bytes`,
    );
  }
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  checkHeadBytes(what, headBytes);
  const left = bytes.length - LENGTH_BYTES;
  if (headBytes > left) {
    throw new ProtocolError(`${what} frame says its head has ${headBytes} bytes; ${left} bytes are left`);
  }
  const at = bytes.byteOffset + LENGTH_BYTES;
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
  if (headBytes > MAX_HEAD_BYTES) {
    throw new ProtocolError(`${what} head has ${headBytes} bytes; at most ${MAX_HEAD_BYTES} are allowed`);
  }
}
