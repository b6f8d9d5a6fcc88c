/** Request bodies from a socket, read within bounds: each by itself, and all that are being read at a time. */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { OverloadedError, ProtocolError } from "../errors.ts";

/** Most bytes of bodies that are being read at a time, unless two of the largest have more. */
export const mostReadBytes = 2 ** 29;
/** A body up to this, of which the caller says how long it is, is read as fast as can be. It counts for nothing. */
export const smallBytes = 2 ** 16;

declare module "hono" {
  interface ContextVariableMap {
    /** Reads the body of this request. */
    readBody: () => Promise<ArrayBuffer>;
  }
}

/**
 * The body of the request, read once. Rejects with a ProtocolError: 413 when it is too large, 503 when too many others are
 * being read, 499 when the caller went away, which is nobody's fault.
 */
export function readBody(context: Context): Promise<ArrayBuffer> {
  return context.get("readBody")();
}

/** Where the body of a request is when it does not come from a stream. */
export interface BodyBindings {
  readonly incoming: IncomingMessage;
  /** The whole body, which nobody else uses. */
  readonly body: ArrayBuffer;
}

/** How many bytes of bodies there are that have not come to their end. */
export class ReadRoom {
  #bytes = 0;
  readonly #mostBytes: number;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Throws an OverloadedError when there is no room. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#mostBytes)
      throw new OverloadedError(
        `bodies of ${this.#bytes} bytes are being read; allowed: ${this.#mostBytes} at a time`,
      );
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What `readBody` does for a request whose body nobody has read. */
export async function readWithin(context: Context, maxBytes: number, room: ReadRoom): Promise<ArrayBuffer> {
  const { req } = context;
  const { incoming, body: given } = (context.env as Partial<BodyBindings> | undefined) ?? {};
  if (given !== undefined) return given;
  const length = req.header("transfer-encoding") === undefined ? Number(req.header("content-length")) : NaN;
  if (length > maxBytes) throw bodyTooLarge(maxBytes);
  // Without a socket the body is in memory already.
  if (incoming === undefined || length <= smallBytes) {
    const body = await req.arrayBuffer().catch((error: unknown) => {
      if (incoming === undefined || isBrokenOff(incoming)) throw callerGone();
      throw error;
    });
    if (body.byteLength > maxBytes) throw bodyTooLarge(maxBytes);
    return body;
  }
  return collect(incoming, Number.isNaN(length) ? maxBytes : length, maxBytes, room);
}

/**
 * Copies the chunks into one buffer as they come: a chunk of one byte is an object of some hundred. The buffer grows with
 * what has come, since a caller may say any length and send nothing.
 */
function collect(
  incoming: IncomingMessage,
  most: number,
  maxBytes: number,
  room: ReadRoom,
): Promise<ArrayBuffer> {
  if (isBrokenOff(incoming)) return Promise.reject(callerGone());
  if (incoming.readableDidRead || incoming.readableEnded)
    return Promise.reject(new Error("the body was read before"));
  return new Promise((resolve, reject) => {
    let bytes = new Uint8Array(Math.min(most, smallBytes));
    let length = 0;
    const end = (settle: () => void): void => {
      room.give(length);
      incoming.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      settle();
    };
    const onData = (chunk: Uint8Array): void => {
      try {
        if (length + chunk.length > most) throw bodyTooLarge(maxBytes);
        room.take(chunk.length);
      } catch (error) {
        // What still comes is dropped by the server, which ends the connection when that is much.
        return end(() => reject(error));
      }
      if (length + chunk.length > bytes.length) {
        const larger = new Uint8Array(Math.min(most, Math.max(bytes.length * 2, length + chunk.length)));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(chunk, length);
      length += chunk.length;
    };
    const onEnd = (): void =>
      end(() => resolve(length === bytes.length ? bytes.buffer : bytes.buffer.slice(0, length)));
    const onGone = (): void => end(() => reject(callerGone()));
    incoming.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function isBrokenOff(incoming: IncomingMessage): boolean {
  return incoming.destroyed && !incoming.complete;
}

function callerGone(): ProtocolError {
  return new ProtocolError("the caller went away before the end of the body", 499);
}

/** The rest of such a body is not read, so that the connection cannot be used again. */
export function bodyTooLarge(maxBytes: number): ProtocolError {
  return new ProtocolError(`the body is too large; allowed: at most ${maxBytes} bytes`, 413);
}
