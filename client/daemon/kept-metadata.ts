/** What models take, as it was described last: for the time when no edge answers, and so as not to ask for each request. */
import { SizedLru } from "../../base/memory/sized-lru.ts";
import type { HttpReply } from "../transports/http-transport.ts";

/** Models whose metadata is kept, and most bytes of it, twice. */
const mostModels = 256;
const mostBytes = 16 * 2 ** 20;

/** Metadata as it was asked for last, until when it counts, and its bytes once it is there. */
interface RecentAnswer {
  readonly reply: Promise<HttpReply>;
  readonly untilMs: number;
  readonly bytes: number;
}

export class KeptMetadata {
  readonly #bodies = new SizedLru<string, Uint8Array>({
    mostEntries: mostModels,
    mostBytes,
    bytesOf: (body) => body.length,
  });
  readonly #recent = new SizedLru<string, RecentAnswer>({
    mostEntries: mostModels,
    mostBytes,
    bytesOf: ({ bytes }) => bytes,
  });
  readonly #freshForMs: number;
  readonly #nowMs: () => number;

  /**
   * @param freshForMs how old an answer of `lately` may be
   * @param nowMs monotonic time
   */
  constructor(freshForMs: number, nowMs: () => number) {
    this.#freshForMs = freshForMs;
    this.#nowMs = nowMs;
  }

  /** As some server gave it last; undefined when none did, or long ago. */
  get(model: string): Uint8Array | undefined {
    return this.#bodies.get(model);
  }

  set(model: string, body: Uint8Array): void {
    this.#bodies.set(model, body);
  }

  /** A recent answer, or a question under way, else a new question. */
  lately(model: string, ask: () => Promise<HttpReply>): Promise<HttpReply> {
    const recent = this.#recent.get(model);
    if (recent !== undefined && this.#nowMs() < recent.untilMs) return recent.reply;
    const reply = ask();
    this.#recent.set(model, { reply, untilMs: Infinity, bytes: 0 });
    void reply.then(
      ({ status, body }) => {
        const untilMs = this.#nowMs() + this.#freshForMs;
        // A model that is not there may come at any time.
        if (status === 200) this.#recent.set(model, { reply, untilMs, bytes: body.length });
        else this.#recent.delete(model);
      },
      () => this.#recent.delete(model),
    );
    return reply;
  }
}
