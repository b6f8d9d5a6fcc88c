/** Reads requests' bodies whole, but never more of one than a bound, nor more of all together than another. */
import { FcRefusal } from "./fc-refusal.ts";

/** Room for the bodies that a host holds at a time, in bytes. */
export class BodyRoom {
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** @throws FcRefusal ResourceExhausted when there is no more room */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#mostBytes) {
      const message = `the host holds ${this.#bytes} bytes of bodies; at most ${this.#mostBytes} at a time`;
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

/** @throws FcRefusal EntityTooLarge beyond `maxBytes`, the rest is then not read; ResourceExhausted without room */
export async function readBounded(request: Request, maxBytes: number, room: BodyRoom): Promise<HeldBody> {
  const tooLarge = (): FcRefusal => new FcRefusal("EntityTooLarge", `a body may have ${maxBytes} bytes here`);
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
