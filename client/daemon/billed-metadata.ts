/**
 * What functions say of models, for the time when no edge answers and for models that no edge has. Each question is a
 * billed call that any caller can cause. So the rate of questions is limited, and answers are kept: a misspelt name is
 * asked for once a minute, however often it is requested.
 */
import { SpillwayError } from "../../base/errors.ts";
import { SizedLru } from "../../base/memory/sized-lru.ts";
import type { AskedServer } from "../transports/capped-transport.ts";
import type { HttpReply } from "../transports/http-transport.ts";
import { platformErrorIn } from "../transports/platform-error.ts";
import { replyFault } from "../transports/reply-fault.ts";
import { jsonIn } from "../transports/reply-text.ts";
import { listedModels } from "./repository-index.ts";

/**
 * Whether a function has a model: some function says so, all say that they do not, one could not be asked or did not
 * answer, or one may not be asked now.
 */
export type FunctionVerdict = "has" | "lacks" | "failed" | "not asked";

/** Longest time that a function may take to answer, a cold start included. */
const answerTimeoutMs = 10_000;
/** How many questions may be asked at once, and the time after which one more may be. */
const questionsAtOnce = 30;
const questionEveryMs = 10_000;
/** How long an answer counts: what a model takes, that it is not there, and that the function did not answer. */
const keptForMs = { there: 600_000, unknown: 60_000, failed: 10_000 };
/** Answers that are kept, and most bytes of them. */
const mostAnswers = 1_024;
const mostAnswerBytes = 16 * 2 ** 20;
/** Names of described models that are kept of one function. */
const mostNames = 256;
/** Cold starts that are kept of one function. */
const mostStarts = 16;

/** What one function said at one path. */
interface Answer {
  readonly reply?: HttpReply;
  readonly failure?: SpillwayError;
}

interface Kept extends Answer {
  readonly untilMs: number;
}

export class BilledMetadata {
  readonly #servers: readonly AskedServer[];
  readonly #nowMs: () => number;
  /** By function and path. */
  readonly #kept = new SizedLru<string, Kept>({
    mostEntries: mostAnswers,
    mostBytes: mostAnswerBytes,
    bytesOf: ({ reply }, key) => key.length + (reply?.body.length ?? 0),
  });
  readonly #asking = new Map<string, Promise<Answer>>();
  readonly #listed: (readonly string[] | undefined)[] = [];
  readonly #listedUntilMs: number[] = [];
  readonly #described: string[][] = [];
  readonly #coldStartMs: number[][] = [];
  readonly #last: { readonly why: string | undefined }[] = [];
  /** Questions that may be asked, as of `#allowedAtMs`. */
  #allowed = questionsAtOnce;
  #allowedAtMs: number;

  /**
   * @param servers are asked one after another
   * @param nowMs monotonic time
   */
  constructor(servers: readonly AskedServer[], nowMs: () => number) {
    this.#servers = servers;
    this.#nowMs = nowMs;
    this.#allowedAtMs = nowMs();
  }

  get size(): number {
    return this.#servers.length;
  }

  /** The names that functions have listed. */
  get known(): readonly string[] {
    return [...new Set(this.#listed.flatMap((names) => names ?? []))];
  }

  /** The names that one function has listed or described. */
  modelsOf(index: number): readonly string[] {
    return [...new Set([...(this.#listed[index] ?? []), ...(this.#described[index] ?? [])])];
  }

  /** Whether a function answered its last question, and why not; undefined: it was not asked yet. */
  answered(index: number): { readonly why: string | undefined } | undefined {
    return this.#last[index];
  }

  /** How long instances of a function took to start for questions, in milliseconds, where it told. */
  coldStartsOf(index: number): readonly number[] {
    return this.#coldStartMs[index] ?? [];
  }

  /** The first function's answer at a V2 path; undefined when none has one, or none may be asked. */
  async of(path: string): Promise<HttpReply | undefined> {
    const fresh = this.#freshAt(path);
    if (fresh !== undefined) return fresh;
    for (const index of this.#servers.keys()) {
      const { reply } = (await this.#answer(index, path)) ?? {};
      if (reply?.status === 200) return reply;
    }
    return undefined;
  }

  /** Asks every function at once; their answers are in `keptOf` then. */
  async askAll(path: string): Promise<void> {
    await Promise.all(Array.from(this.#servers.keys(), (index) => this.#answer(index, path)));
  }

  /** Whether there are no functions. */
  get isEmpty(): boolean {
    return this.#servers.length === 0;
  }

  /** What each function said at a path last, without a question; undefined: nothing, or something else than 200. */
  keptOf(path: string): (HttpReply | undefined)[] {
    return Array.from(this.#servers.keys(), (index) => {
      const reply = this.#kept.get(keyOf(index, path))?.reply;
      return reply?.status === 200 ? reply : undefined;
    });
  }

  /** @param path of a model; functions are asked until one has it */
  async verdict(path: string): Promise<FunctionVerdict> {
    if (this.#freshAt(path) !== undefined) return "has";
    let worst: FunctionVerdict = "lacks";
    for (const index of this.#servers.keys()) {
      const answer = await this.#answer(index, path);
      if (answer === undefined) worst = "not asked";
      else if (answer.reply === undefined) worst = worst === "lacks" ? "failed" : worst;
      // 400: it has the model, and takes the question for an inference.
      else if (answer.reply.status === 200 || answer.reply.status === 400) return "has";
    }
    return worst;
  }

  /** Why functions did not answer at a path last; undefined when they did, or were not asked. */
  failureAt(path: string): SpillwayError | undefined {
    for (const index of this.#servers.keys()) {
      const failure = this.#kept.get(keyOf(index, path))?.failure;
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /**
   * The names of the models of all functions. What they listed is kept; they are asked once in a minute at most while
   * they list none.
   *
   * @returns undefined when none lists its models
   * @throws SpillwayError when none answers
   */
  async list(): Promise<readonly string[] | undefined> {
    const failures = await Promise.all(
      this.#servers.map(async (server, index) => {
        if (this.#nowMs() < (this.#listedUntilMs[index] ?? -Infinity)) return undefined;
        this.#listedUntilMs[index] = this.#nowMs() + keptForMs.unknown;
        try {
          const names = await listedBy(server, (reply) => this.#noteStart(index, reply));
          this.#last[index] = { why: undefined };
          if (names === undefined) return undefined;
          this.#listed[index] = names;
          this.#listedUntilMs[index] = this.#nowMs() + keptForMs.there;
          return undefined;
        } catch (error) {
          this.#last[index] = { why: (error as Error).message };
          return error;
        }
      }),
    );
    if (this.#listed.some((names) => names !== undefined)) return this.known;
    const failure = failures.find((each) => each !== undefined);
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** An answer of some function that still counts, so that none need be asked. */
  #freshAt(path: string): HttpReply | undefined {
    for (const index of this.#servers.keys()) {
      const kept = this.#kept.get(keyOf(index, path));
      if (kept?.reply?.status === 200 && this.#nowMs() < kept.untilMs) return kept.reply;
    }
    return undefined;
  }

  /** What a function says, as it is kept or by a question; undefined when it may not be asked. */
  async #answer(index: number, path: string): Promise<Answer | undefined> {
    const key = keyOf(index, path);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#nowMs() < kept.untilMs) return kept;
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking;
    if (!this.#mayAsk()) return kept?.reply?.status === 200 ? kept : undefined;
    const asked = this.#ask(index, path, kept).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #ask(index: number, path: string, before: Kept | undefined): Promise<Answer> {
    const answer = await answerOf(this.#servers[index] as AskedServer, path);
    const { reply } = answer;
    this.#last[index] = { why: answer.failure?.message };
    this.#noteStart(index, reply);
    if (reply?.status === 200) this.#noteModel(index, path);
    const kind = reply === undefined ? "failed" : reply.status === 404 ? "unknown" : "there";
    // A function that does not answer now still has what it had.
    const told = reply === undefined && before?.reply !== undefined ? before : answer;
    this.#kept.set(keyOf(index, path), { ...told, untilMs: this.#nowMs() + keptForMs[kind] });
    return told;
  }

  /** The first question starts a function, so that the calls which measure it find it warm. */
  #noteStart(index: number, reply: HttpReply | undefined): void {
    const starts = (this.#coldStartMs[index] ??= []);
    const coldStartMs = Math.min(answerTimeoutMs, reply?.coldStartMs ?? 0);
    if (coldStartMs > 0 && starts.length < mostStarts) starts.push(coldStartMs);
  }

  /** No more names than a person would read. */
  #noteModel(index: number, path: string): void {
    const [, , kind, name = "", ...rest] = path.split("/");
    const names = (this.#described[index] ??= []);
    const model = decodeURIComponent(name);
    if (kind === "models" && rest.length === 0 && names.length < mostNames && !names.includes(model))
      names.push(model);
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

function keyOf(index: number, path: string): string {
  return `${index} ${path}`;
}

/** What is no answer of the function about the model, such as that of a gateway before it, is a failure. */
async function answerOf(server: AskedServer, path: string): Promise<Answer> {
  try {
    const reply = await server.get(path, answerTimeoutMs);
    const { status, body } = reply;
    // In whatever words but those of a platform, which has no such function.
    if (status === 200 || (status === 404 && platformErrorIn(jsonIn(body)) === undefined)) return { reply };
    const failure = replyFault({ status, wire: reply });
    if (failure.code === "model_not_found") return { reply: { ...reply, status: 404 } };
    return status === 400 ? { reply } : { failure };
  } catch (error) {
    return {
      failure: error instanceof SpillwayError ? error : new SpillwayError("target_fault", String(error)),
    };
  }
}

/** @param onReply told each answer */
async function listedBy(
  { get, post }: AskedServer,
  onReply: (reply: HttpReply) => void,
): Promise<readonly string[] | undefined> {
  const noIndex = { status: 404, body: new Uint8Array() };
  const models = await listedModels({
    get: async (...question) => {
      const reply = await get(...question);
      onReply(reply);
      return reply;
    },
    post: post ?? (() => Promise.resolve(noIndex)),
  });
  return models?.map(({ name }) => name);
}
