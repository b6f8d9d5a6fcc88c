/**
 * The body of a request from a socket, in the pieces in which it came: nothing is copied that is large, and small pieces
 * are put together, because each is an object of some hundred bytes.
 */
import type { HotExchange } from "../../base/program/http/exchange.ts";
import { bodyTooLarge, type ReadRoom, smallBytes } from "./read-body.ts";

/** Pieces below this are put together, in bytes. */
const smallPiece = 2 ** 14;

export interface BodyBounds {
  readonly maxBytes: number;
  /** Where bodies of more than 64 KiB, or of a length that nobody says, are counted while they come. */
  readonly room: ReadRoom;
}

/**
 * Reads a body of `length` bytes; undefined: until it ends. `done` is called once, with the pieces or with a ProtocolError:
 * 413 when it is too large, 503 when too many others are being read. It is not called when the caller goes away before the
 * end: its connection's `close` tells that. Returns what stops reading, and does nothing once all is read.
 */
export function readParts(
  exchange: Pick<HotExchange, "readBody" | "dropBody">,
  length: number | undefined,
  { maxBytes, room }: BodyBounds,
  done: (parts: readonly Uint8Array[] | undefined, error?: Error) => void,
): () => void {
  const most = length ?? maxBytes;
  const isCounted = length === undefined || length > smallBytes;
  const pieces = new Pieces(most);
  let isStopped = false;
  let stopReading: (() => void) | undefined;
  const stop = (): void => {
    if (isStopped) return;
    isStopped = true;
    stopReading?.();
    if (isCounted) room.give(pieces.bytes);
  };
  const onData = (piece: Uint8Array): void => {
    if (isCounted || pieces.bytes + piece.length > most) {
      try {
        if (pieces.bytes + piece.length > most) throw bodyTooLarge(maxBytes);
        room.take(piece.length);
      } catch (error) {
        // What still comes is dropped by the server, which ends the connection when that is much.
        stop();
        void exchange.dropBody();
        return done(undefined, error as Error);
      }
    }
    pieces.add(piece);
    if (pieces.bytes === length) onEnd();
  };
  const onEnd = (): void => {
    stop();
    done(pieces.all);
  };
  if (length === 0) {
    done([]);
    return () => {};
  }
  stopReading = exchange.readBody(onData, onEnd);
  // It may all have been there.
  if (isStopped) stopReading();
  return stop;
}

/** The pieces of one body, small ones put together. */
export class Pieces {
  readonly all: Uint8Array[] = [];
  bytes = 0;
  readonly #most: number;
  /** Memory that grows with what comes, and whose used part is the last of `all`. */
  #tail: Uint8Array | undefined;
  #used = 0;

  /** @param most bytes that may come */
  constructor(most: number) {
    this.#most = most;
  }

  add(piece: Uint8Array): void {
    const left = this.#most - this.bytes;
    this.bytes += piece.length;
    if (piece.length >= smallPiece || piece.length === left) {
      this.#tail = undefined;
      this.all.push(piece);
      return;
    }
    for (let at = 0; at < piece.length;) at += this.#append(piece.subarray(at), left - at);
  }

  /** Returns how many bytes found room. */
  #append(piece: Uint8Array, left: number): number {
    let tail = this.#tail;
    if (tail === undefined || this.#used === tail.length) {
      tail = this.#tail = new Uint8Array(Math.min(left, Math.max(smallPiece, piece.length)));
      this.#used = 0;
      this.all.push(tail.subarray(0, 0));
    }
    const bytes = Math.min(piece.length, tail.length - this.#used);
    tail.set(bytes === piece.length ? piece : piece.subarray(0, bytes), this.#used);
    this.#used += bytes;
    this.all[this.all.length - 1] = tail.subarray(0, this.#used);
    return bytes;
  }
}
