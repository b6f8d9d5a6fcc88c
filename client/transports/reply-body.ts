/**
 * Reads the body of a reply piece by piece, and no further than is allowed: a server whose answer never ends must not fill
 * the memory of this process. Nothing of a reply is kept as it came, because a server may send it byte by byte, and a
 * piece of one byte takes a hundred times its size.
 */
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { SpillwayError } from "../../base/errors.ts";
import type { ReplyHeaders } from "./reply-facts.ts";
import type { ReplyPlace, ReplyRoom } from "./reply-room.ts";

/** Most bytes of an error, of what a server says of itself or one of its models, and of a list of its models. */
export const mostErrorBytes = 64 * 2 ** 10;
export const mostMetadataBytes = 2 ** 20;
export const mostIndexBytes = 4 * 2 ** 20;
/** Most bytes of an answer to an inference where no option says so. */
export const usualAnswerBytes = 64 * 2 ** 20;

export interface ReplyBounds {
  /** Most bytes, before and after decompression. */
  readonly mostBytes: number;
  /** Keeps the beginning of a longer body, in place of an error. Default: false. */
  readonly isCut?: boolean;
  /** Shared by the replies that are read at the same time. Default: there is always room. */
  readonly room?: ReplyRoom | undefined;
}

/** Room for the first bytes of a body; it doubles as they come. */
const firstBytes = 16 * 2 ** 10;

const gunzipAsync = promisify(gunzip);
const decoders: ReadonlyMap<string, typeof gunzipAsync> = new Map([
  ["gzip", gunzipAsync],
  ["x-gzip", gunzipAsync],
  ["deflate", promisify(inflate)],
  ["br", promisify(brotliDecompress)],
]);

/**
 * The body of a reply, without the compression that some proxies add unasked.
 *
 * @param body is destroyed beyond the bounds, and its connection with it
 * @throws SpillwayError `target_fault` when it is longer than allowed or cannot be decompressed; what reading it throws
 */
export async function readReply(
  body: Readable,
  headers: ReplyHeaders,
  bounds: ReplyBounds,
): Promise<Uint8Array<ArrayBuffer>> {
  const { mostBytes, isCut = false, room } = bounds;
  const told = Number(headers["content-length"] ?? Number.NaN);
  if (told > mostBytes && !isCut) {
    destroyQuietly(body);
    throw tooLong(mostBytes);
  }
  const place = room?.open((error) => body.destroy(error));
  try {
    const { bytes, isWhole } = await readUpTo(body, told, { mostBytes, isCut }, place);
    const coding = headers["content-encoding"];
    const decode = typeof coding === "string" ? decoders.get(coding.trim().toLowerCase()) : undefined;
    if (decode === undefined || bytes.length === 0) return bytes;
    return await decompressed(bytes, decode, { mostBytes, isCut, isWhole });
  } finally {
    place?.close();
  }
}

/** Ends a body that nobody reads, and its connection with it. */
export function destroyQuietly(body: Readable): void {
  body.on("error", () => {}).destroy();
}

async function readUpTo(
  body: Readable,
  told: number,
  { mostBytes, isCut }: { readonly mostBytes: number; readonly isCut: boolean },
  place: ReplyPlace | undefined,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isWhole: boolean }> {
  // A server may promise more than it sends, so memory is taken as the bytes come.
  const limit = told <= mostBytes ? told : mostBytes;
  let bytes = new Uint8Array(Math.min(limit, firstBytes));
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const wanted = length + chunk.length;
    if (wanted > mostBytes) {
      if (!isCut) throw tooLong(mostBytes);
      bytes = grown(bytes, mostBytes);
      bytes.set(chunk.subarray(0, mostBytes - length), length);
      return { bytes, isWhole: false };
    }
    if (wanted > bytes.length)
      bytes = grown(bytes, Math.max(wanted, Math.min(Math.max(limit, wanted), 2 * bytes.length)));
    bytes.set(chunk, length);
    length = wanted;
    place?.grow(chunk.length);
  }
  return { bytes: length === bytes.length ? bytes : bytes.slice(0, length), isWhole: true };
}

function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes.subarray(0, length));
  return larger;
}

async function decompressed(
  bytes: Uint8Array,
  decode: typeof gunzipAsync,
  { mostBytes, isCut, isWhole }: Pick<ReplyBounds, "mostBytes" | "isCut"> & { readonly isWhole: boolean },
): Promise<Uint8Array<ArrayBuffer>> {
  // Of an error that is cut in the middle, the status is enough.
  if (!isWhole) return new Uint8Array();
  try {
    return new Uint8Array(await decode(bytes, { maxOutputLength: mostBytes }));
  } catch (error) {
    if (isCut === true) return new Uint8Array();
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLong(mostBytes);
    throw new SpillwayError("target_fault", `the answer cannot be decompressed: ${message}`);
  }
}

function tooLong(mostBytes: number): SpillwayError {
  return new SpillwayError("target_fault", `the answer is too long; allowed: at most ${mostBytes} bytes`);
}
