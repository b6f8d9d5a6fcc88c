/** Reads whole request bodies, within a limit for each and a limit for all that are held at a time. */
import { FcRefusal } from "./fc-refusal.ts";

/** Room for the bodies that a host holds at a time, in bytes. */
export class BodyRoom {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws FcRefusal ResourceExhausted when there is not enough room */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#maxBytes) {
      const message = `the host holds ${this.#bytes} bytes of bodies; allowed: ${this.#maxBytes} at a time`;
      throw new FcRefusal("ResourceExhausted", message);
    }
    this.#bytes += bytes;
  }

  free(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface HeldBody {
  readonly bytes: Uint8Array;
  /** To be called once, when the bytes are no longer needed. */
  free(): void;
}

/** @throws FcRefusal EntityTooLarge beyond `maxBytes` (the rest is not read), ResourceExhausted without room */
export async function readBounded(request: Request, maxBytes: number, room: BodyRoom): Promise<HeldBody> {
  const tooLarge = (): FcRefusal =>
    new FcRefusal("EntityTooLarge", `the body is too large; allowed: ${maxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
      if (bytes + chunk.length > maxBytes) throw tooLarge();
      room.take(chunk.length);
      bytes += chunk.length;
      chunks.push(chunk);
    }
  } catch (error) {
    room.free(bytes);
    if (error instanceof FcRefusal) throw error;
    throw new FcRefusal("InvalidArgument", `the body broke off: ${(error as Error).message}`);
  }
  return { bytes: Buffer.concat(chunks), free: () => room.free(bytes) };
}
