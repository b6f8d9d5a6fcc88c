/** Reads whole request bodies, within a limit for each and a limit for all that are held at a time. */
import { FcRefusal } from "./fc-refusal.ts";

export class BodyRoom {
  readonly #maxHeldBytes: number;
  #heldBytes = 0;

  /** @param maxHeldBytes most bytes of bodies at a time */
  constructor(maxHeldBytes: number) {
    this.#maxHeldBytes = maxHeldBytes;
  }

  /**
   * Read a body and hold it until `use` has ended. Throws an FcRefusal: EntityTooLarge beyond `maxBytes` (the rest is
   * not read), ResourceExhausted without room.
   */
  async hold(request: Request, maxBytes: number, use: (body: Uint8Array) => Promise<void>): Promise<void> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
      for await (const chunk of chunksOf(request)) {
        if (bytes + chunk.length > maxBytes) throw tooLarge(maxBytes);
        this.#take(chunk.length);
        bytes += chunk.length;
        chunks.push(chunk);
      }
      await use(Buffer.concat(chunks));
    } finally {
      this.#heldBytes -= bytes;
    }
  }

  #take(bytes: number): void {
    if (this.#heldBytes + bytes > this.#maxHeldBytes) {
      const message = `the host holds ${this.#heldBytes} bytes of bodies; allowed: ${this.#maxHeldBytes} at a time`;
      throw new FcRefusal("ResourceExhausted", message);
    }
    this.#heldBytes += bytes;
  }
}

async function* chunksOf({ body }: Request): AsyncGenerator<Uint8Array> {
  try {
    yield* (body ?? []) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new FcRefusal("InvalidArgument", `the body broke off: ${(error as Error).message}`);
  }
}

function tooLarge(maxBytes: number): FcRefusal {
  return new FcRefusal("EntityTooLarge", `the body is too large; allowed: ${maxBytes} bytes`);
}
