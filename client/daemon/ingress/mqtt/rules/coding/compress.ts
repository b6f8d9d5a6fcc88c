/** Compression of payloads, with a bound on what comes out: a few kilobytes may decode to gigabytes. */
import * as zlib from "node:zlib";
import type { Compression } from "../config/coding-fields.ts";
import { MessageError } from "../view/message-error.ts";

/** How a payload was compressed, so that the answer can be likewise. */
export type UsedCompression = Compression | "deflate-raw";

interface Coder {
  readonly compress: (bytes: Uint8Array) => Uint8Array;
  readonly decompress: (bytes: Uint8Array, bounds: { readonly maxOutputLength: number }) => Uint8Array;
}

/** Of Node 22.15 and later; the types of Node 20 do not know it. */
const zstd = zlib as unknown as {
  readonly zstdCompressSync?: Coder["compress"];
  readonly zstdDecompressSync?: Coder["decompress"];
};

/** Whether this Node can decode zstd. */
export const hasZstd = zstd.zstdCompressSync !== undefined && zstd.zstdDecompressSync !== undefined;

const coders: Readonly<Record<Exclude<UsedCompression, "none">, Coder>> = {
  gzip: { compress: (bytes) => zlib.gzipSync(bytes), decompress: zlib.gunzipSync },
  deflate: { compress: (bytes) => zlib.deflateSync(bytes), decompress: zlib.inflateSync },
  "deflate-raw": { compress: (bytes) => zlib.deflateRawSync(bytes), decompress: zlib.inflateRawSync },
  zstd: {
    compress: (bytes) => (zstd.zstdCompressSync as Coder["compress"])(bytes),
    decompress: (bytes, bounds) => (zstd.zstdDecompressSync as Coder["decompress"])(bytes, bounds),
  },
};

/** Which compression the bytes have: `deflate` may lack zlib's header, and `auto` goes by the first bytes. */
export function usedCompression(bytes: Uint8Array, said: Compression | "auto"): UsedCompression {
  if (said === "deflate") return hasZlibHeader(bytes) ? "deflate" : "deflate-raw";
  if (said !== "auto") return said;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "gzip";
  const isZstd = bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
  return isZstd ? "zstd" : "none";
}

function hasZlibHeader(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

/** @throws MessageError when the bytes are not of that form, or decode to more than `mostBytes` */
export function decompress(bytes: Uint8Array, used: UsedCompression, mostBytes: number): Uint8Array {
  if (used === "none") return bytes;
  if (used === "zstd" && !hasZstd)
    throw new MessageError(
      "not_decodable",
      "the payload is zstd, which this Node cannot decode; 22.15 and later can",
    );
  try {
    return coders[used].decompress(bytes, { maxOutputLength: mostBytes });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE")
      throw new MessageError("too_large", `the payload decodes to more than ${mostBytes} bytes`);
    throw new MessageError("not_decodable", `the payload is not valid ${used}: ${message}`);
  }
}

export function compress(bytes: Uint8Array, used: UsedCompression): Uint8Array {
  return used === "none" ? bytes : coders[used].compress(bytes);
}
