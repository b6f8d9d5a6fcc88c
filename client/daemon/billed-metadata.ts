/**
 * What functions with URLs of their own say of models while the edge cannot be asked. Each question is a call that is
 * billed and that anybody may cause, so few are asked, and a model that no function knows is not asked for again soon.
 */
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";

/** Longest time that a function may take to answer, in milliseconds. */
const answerTimeoutMs = 5_000;
/** How many questions may be asked at once, and after which time another one, in milliseconds. */
const questionsAtOnce = 30;
const questionEveryMs = 10_000;
/** For how long a model is taken for unknown that no function knew, in milliseconds. */
const unknownForMs = 60_000;

export class BilledMetadata {
  readonly #servers: readonly Pick<HttpTransport, "get">[];
  readonly #nowMs: () => number;
  /** When a path was asked for that nobody has answered. In the order of time. */
  readonly #askedAtMs = new Map<string, number>();
  /** Questions that may be asked now, as of the moment beside it. */
  #allowed = questionsAtOnce;
  #allowedAtMs: number;

  /**
   * @param servers asked one after another
   * @param nowMs monotonic time
   */
  constructor(servers: readonly Pick<HttpTransport, "get">[], nowMs: () => number) {
    this.#servers = servers;
    this.#nowMs = nowMs;
    this.#allowedAtMs = nowMs();
  }

  /** The answer at a V2 path from the first function that has one; undefined when none has, or is asked. */
  async of(path: string): Promise<HttpReply | undefined> {
    const nowMs = this.#nowMs();
    for (const [asked, atMs] of this.#askedAtMs) {
      if (nowMs - atMs < unknownForMs) break;
      this.#askedAtMs.delete(asked);
    }
    if (this.#askedAtMs.has(path)) return undefined;
    for (const server of this.#servers) {
      if (!this.#mayAsk()) return undefined;
      // Set before the answer: others who want to know the same do not ask beside.
      if (!this.#askedAtMs.has(path)) this.#askedAtMs.set(path, nowMs);
      const reply = await server.get(path, answerTimeoutMs).catch(() => undefined);
      if (reply?.status !== 200) continue;
      this.#askedAtMs.delete(path);
      return reply;
    }
    return undefined;
  }

  #mayAsk(): boolean {
    const nowMs = this.#nowMs();
    const earned = (nowMs - this.#allowedAtMs) / questionEveryMs;
    this.#allowed = Math.min(questionsAtOnce, this.#allowed + earned);
    this.#allowedAtMs = nowMs;
    if (this.#allowed < 1) return false;
    this.#allowed -= 1;
    return true;
  }
}
