/**
 * Reads the body of a reply piece by piece, and no further than is allowed: a server whose answer never ends must not fill
 * the memory of this process. Nothing of a reply is kept as it came, because a server may send it byte by byte, and a
 * piece of one byte takes a hundred times its size.
 */
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { SpillwayError } from "../../base/errors.ts";
import { rawBytes } from "../../protocol/datatype.ts";
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
/** A body whose length is told, up to this, gets all its room with its first piece. */
const readyBytes = 2 ** 20;

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
): Promise<Uint8Array> {
  let bytes: ReplyBytes;
  try {
    bytes = new ReplyBytes(headers, bounds, (error) => body.destroy(error));
  } catch (error) {
    destroyQuietly(body);
    throw error;
  }
  try {
    let isWhole = true;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      isWhole = bytes.add(chunk);
      if (!isWhole) break;
    }
    return await unpacked(bytes.whole(), headers, { ...bounds, isWhole });
  } finally {
    bytes.close();
  }
}

/** Ends a body that nobody reads, and its connection with it. */
export function destroyQuietly(body: Readable): void {
  body.on("error", () => {}).destroy();
}

/**
 * The bytes of a body, piece by piece. A body that comes in one piece is that piece, which mostly it does; all others are
 * copied into one, since many small pieces would take much memory.
 */
export class ReplyBytes {
  readonly #mostBytes: number;
  readonly #isCut: boolean;
  readonly #place: ReplyPlace | undefined;
  /** The length that the headers tell, or the most. */
  readonly #limit: number;
  #bytes: Uint8Array = none;
  #length = 0;

  /**
   * @param giveUp ends the reading where the room is full
   * @throws SpillwayError `target_fault` when the headers tell a length that is not allowed
   */
  constructor(
    headers: ReplyHeaders,
    { mostBytes, isCut = false, room }: ReplyBounds,
    giveUp: (error: SpillwayError) => void,
  ) {
    const told = Number(headers["content-length"] ?? Number.NaN);
    if (told > mostBytes && !isCut) throw tooLong(mostBytes);
    this.#mostBytes = mostBytes;
    this.#isCut = isCut;
    // A server may promise more than it sends, so memory is taken as the bytes come.
    this.#limit = told <= mostBytes ? told : mostBytes;
    this.#place = room?.open(giveUp);
  }

  /**
   * @param chunk is kept, and must not change
   * @returns false once no more is taken, because the body is cut there
   * @throws SpillwayError `target_fault` when there is too much
   */
  add(chunk: Uint8Array): boolean {
    const wanted = this.#length + chunk.length;
    if (wanted > this.#mostBytes) {
      if (!this.#isCut) throw tooLong(this.#mostBytes);
      this.#grow(this.#mostBytes);
      this.#bytes.set(chunk.subarray(0, this.#mostBytes - this.#length), this.#length);
      this.#length = this.#mostBytes;
      return false;
    }
    if (this.#length === 0 && chunk.length === this.#limit) this.#bytes = rawBytes(chunk);
    else {
      if (wanted > this.#bytes.length) this.#grow(this.#roomFor(wanted));
      this.#bytes.set(chunk, this.#length);
    }
    this.#length = wanted;
    this.#place?.grow(chunk.length);
    return true;
  }

  /** What came so far; it may be a view on more memory. */
  whole(): Uint8Array {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }

  /** The body was read, or given up. */
  close(): void {
    this.#place?.close();
  }

  #roomFor(wanted: number): number {
    const least = this.#limit <= readyBytes ? this.#limit : Math.max(firstBytes, 2 * this.#bytes.length);
    return Math.max(wanted, Math.min(Math.max(this.#limit, wanted), least));
  }

  #grow(length: number): void {
    // Nothing is seen of it but what is written.
    const larger = rawBytes(Buffer.allocUnsafeSlow(length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

const none = new Uint8Array();

/** A body without the compression that its headers name. */
export async function unpacked(
  bytes: Uint8Array,
  headers: ReplyHeaders,
  { mostBytes, isCut = false, isWhole }: ReplyBounds & { readonly isWhole: boolean },
): Promise<Uint8Array> {
  const coding = headers["content-encoding"];
  const decode = typeof coding === "string" ? decoders.get(coding.trim().toLowerCase()) : undefined;
  if (decode === undefined || bytes.length === 0) return bytes;
  return decompressed(bytes, decode, { mostBytes, isCut, isWhole });
}

async function decompressed(
  bytes: Uint8Array,
  decode: typeof gunzipAsync,
  { mostBytes, isCut, isWhole }: Pick<ReplyBounds, "mostBytes" | "isCut"> & { readonly isWhole: boolean },
): Promise<Uint8Array> {
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
