/**
 * Metadata of models from functions with URLs of their own, for the time when no edge answers. Each question is a billed
 * call that any caller can cause. So the rate of questions is limited, and a model that no function knows is not asked
 * for again for a minute.
 */
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";

/** Longest time that a function may take to answer. */
const answerTimeoutMs = 5_000;
/** How many questions may be asked at once, and the time after which one more may be. */
const questionsAtOnce = 30;
const questionEveryMs = 10_000;
/** How long a model that no function knew counts as unknown. */
const unknownForMs = 60_000;

export class BilledMetadata {
  readonly #servers: readonly Pick<HttpTransport, "get">[];
  readonly #nowMs: () => number;
  /** When each path was asked for that no function has answered, in the order of time. */
  readonly #askedAtMs = new Map<string, number>();
  /** Questions that may be asked, as of `#allowedAtMs`. */
  #allowed = questionsAtOnce;
  #allowedAtMs: number;

  /**
   * @param servers are asked one after another
   * @param nowMs monotonic time
   */
  constructor(servers: readonly Pick<HttpTransport, "get">[], nowMs: () => number) {
    this.#servers = servers;
    this.#nowMs = nowMs;
    this.#allowedAtMs = nowMs();
  }

  /** The first function's answer at a V2 path; undefined when none has one, or none may be asked. */
  async of(path: string): Promise<HttpReply | undefined> {
    const nowMs = this.#nowMs();
    for (const [asked, atMs] of this.#askedAtMs) {
      if (nowMs - atMs < unknownForMs) break;
      this.#askedAtMs.delete(asked);
    }
    if (this.#askedAtMs.has(path)) return undefined;
    for (const server of this.#servers) {
      if (!this.#mayAsk()) return undefined;
      // Set before the answer, so that the same question is not asked twice at once.
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
