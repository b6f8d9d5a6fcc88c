/**
 * Which models there are and what they take, as the edges tell. Their last answers are kept for the time when they
 * cannot be reached, because functions serve the same models.
 */
import { Lru } from "../../base/lru.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { modelPath } from "../../protocol/model-path.ts";
import type { BilledMetadata } from "./billed-metadata.ts";
import { SpillwayError } from "../../base/errors.ts";
import { jsonIn } from "../transports/reply-text.ts";
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";
import { type ListedModel, listedModels } from "./repository-index.ts";

/** Longest time that an edge may take to answer, and to load a model. */
const answerTimeoutMs = 5_000;
const loadTimeoutMs = 120_000;
/** How old an answer may be before it is asked for again: a list on behalf of a model that it lacks, or metadata. */
const freshForMs = 5_000;
/** Models that no edge lists, and that are asked for at once all the same. */
const mostUnlisted = 16;
/** Models whose metadata is kept. */
const maxDescribed = 256;

/** An edge, and the models that it listed last by name; undefined before it has listed any. */
interface DirectoryEdge {
  readonly transport: Pick<HttpTransport, "get" | "post">;
  listed: ReadonlyMap<string, readonly ListedModel[]> | undefined;
}

export class ModelDirectory {
  readonly #edges: readonly DirectoryEdge[];
  readonly #functions: BilledMetadata;
  readonly #nowMs: () => number;
  readonly #metadata = new Lru<string, Uint8Array>(maxDescribed);
  /** Metadata as it was asked for last, and until when it counts. */
  readonly #recent = new Lru<string, { readonly reply: Promise<HttpReply>; untilMs: number }>(maxDescribed);
  /** Whether models that no edge lists are served all the same. */
  readonly #unlisted = new Lru<string, { readonly isServed: Promise<boolean>; untilMs: number }>(
    maxDescribed,
  );
  readonly #few = new Semaphore(mostUnlisted);
  #listing: Promise<readonly unknown[]> | undefined;
  #askedAtMs = -Infinity;

  /**
   * @param edges at least one
   * @param functions are asked when an edge does not answer
   * @param nowMs monotonic time
   */
  constructor(edges: readonly DirectoryEdge["transport"][], functions: BilledMetadata, nowMs: () => number) {
    this.#edges = edges.map((transport) => ({ transport, listed: undefined }));
    this.#functions = functions;
    this.#nowMs = nowMs;
  }

  /**
   * The names of all models that some edge has; undefined when no edge lists its models. Of an edge that cannot be
   * reached, those that it listed last.
   *
   * @throws SpillwayError when no edge was ever reached
   */
  async list(): Promise<readonly string[] | undefined> {
    const failures = await this.#ask();
    if (this.#edges.some(({ listed }) => listed !== undefined)) return this.known;
    if (failures.every((failure) => failure !== undefined)) throw failures[0];
    return undefined;
  }

  /** The names as last listed. */
  get known(): readonly string[] {
    return [...new Set(this.#edges.flatMap(({ listed }) => [...(listed?.keys() ?? [])]))];
  }

  /** The versions of a listed model: of the first edge that has it ready, else of the first that has it. */
  listedVersions(model: string): readonly ListedModel[] {
    const each = this.#edges.flatMap(({ listed }) => {
      const versions = listed?.get(model);
      return versions === undefined ? [] : [versions];
    });
    return each.find((versions) => versions.some(({ state }) => state === "READY")) ?? each[0] ?? [];
  }

  /** The state of a listed model in the words of the V2 repository index: `READY` when some edge says so. */
  stateOf(model: string): string | undefined {
    const states = this.listedVersions(model).map(({ state }) => state);
    return states.find((state) => state === "READY") ?? states[0];
  }

  /**
   * True when every edge has listed its models, this one is not among them, and no edge serves it all the same. Requests
   * for an unknown model wait for a question under way.
   */
  async lacks(model: string): Promise<boolean> {
    if (this.#isListed(model)) return false;
    // No request waits for an edge that has not listed anything yet, because functions may serve.
    const canWait = this.#haveAllListed();
    if (this.#listing !== undefined || this.#nowMs() - this.#askedAtMs > freshForMs) {
      const asked = this.#ask();
      if (canWait) await asked;
    }
    if (!this.#haveAllListed() || this.#isListed(model)) return false;
    return !(await this.#isServedUnlisted(model));
  }

  /**
   * A model's metadata: from the first edge that has it, else as an edge gave it last, else from a function. Rejects
   * with a SpillwayError when there is none.
   */
  async describe(model: string): Promise<HttpReply> {
    const asked = this.#askEach(modelPath(model));
    let first: HttpReply | undefined;
    let error: unknown;
    let haveAllAnswered = true;
    for (const question of asked) {
      const { reply, failure } = await question;
      if (reply?.status === 200) {
        this.#metadata.set(model, reply.body);
        return reply;
      }
      if (reply === undefined || reply.status >= 500) haveAllAnswered = false;
      first ??= reply;
      error ??= failure;
    }
    const found = haveAllAnswered ? first : ((await this.#elsewhere(model)) ?? first);
    if (found === undefined) throw error;
    return found;
  }

  /** Like `describe`, with metadata that may be a few seconds old. A question under way is shared. */
  describeLately(model: string): Promise<HttpReply> {
    const recent = this.#recent.get(model);
    if (recent !== undefined && this.#nowMs() < recent.untilMs) return recent.reply;
    const entry = { reply: this.describe(model), untilMs: Infinity };
    this.#recent.set(model, entry);
    // A model that is not there may come at any time.
    void entry.reply.then(
      ({ status }) => (entry.untilMs = status === 200 ? this.#nowMs() + freshForMs : -Infinity),
      () => (entry.untilMs = -Infinity),
    );
    return entry.reply;
  }

  /** What each edge answers at a path below the model's, whatever its status, in their order; undefined: nothing. */
  async eachOf(model: string, below = ""): Promise<(HttpReply | undefined)[]> {
    const answers = await Promise.all(this.#askEach(`${modelPath(model)}${below}`));
    return answers.map(({ reply }) => reply);
  }

  /** A model's metadata as some server gave it last, without a question; undefined when none did. */
  keptMetadata(model: string): Uint8Array | undefined {
    return this.#metadata.get(model);
  }

  /** Whether some edge serves the model now; undefined when none says so and one of them does not answer. */
  async isReadyAtEdge(model: string): Promise<boolean | undefined> {
    const answers = await Promise.all(this.#askEach(`${modelPath(model)}/ready`, () => true));
    const statuses = answers.map(({ reply }) => reply?.status);
    if (statuses.includes(200)) return true;
    if (statuses.includes(undefined)) return undefined;
    if (statuses.some((status) => status !== 404)) return false;
    throw new SpillwayError("model_not_found", `no model "${model}" at the edge`);
  }

  /**
   * Has every edge load or unload a model, and lists the models anew.
   *
   * @param authorization the caller's own, which the edges check
   * @returns the first answer that is no 200, else the first
   * @throws SpillwayError when an edge does not answer
   */
  async change(path: string, body: object, authorization: string | undefined): Promise<HttpReply> {
    const replies = await Promise.all(
      this.#edges.map(({ transport }) => transport.post(path, loadTimeoutMs, body, authorization)),
    );
    await this.#ask();
    return (replies.find(({ status }) => status !== 200) ?? replies[0]) as HttpReply;
  }

  /** One question to every edge, shared by all who ask meanwhile. Never rejects; has the failure of each edge. */
  #ask(): Promise<readonly unknown[]> {
    if (this.#listing !== undefined) return this.#listing;
    this.#askedAtMs = this.#nowMs();
    this.#listing = Promise.all(this.#edges.map(askForList)).finally(() => (this.#listing = undefined));
    return this.#listing;
  }

  #isListed(model: string): boolean {
    return this.#edges.some(({ listed }) => listed?.has(model) === true);
  }

  #haveAllListed(): boolean {
    return this.#edges.every(({ listed }) => listed !== undefined);
  }

  /** The index is optional, and some servers list the models alone that they have loaded. */
  #isServedUnlisted(model: string): Promise<boolean> {
    const known = this.#unlisted.get(model);
    if (known !== undefined && this.#nowMs() < known.untilMs) return known.isServed;
    const isServed = this.#few.run(async () => {
      const answers = await Promise.all(this.#askEach(modelPath(model), () => true));
      return answers.some(({ reply }) => reply !== undefined && reply.status !== 404 && reply.status !== 400);
    });
    const entry = { isServed, untilMs: Infinity };
    this.#unlisted.set(model, entry);
    void isServed.then((served) => (entry.untilMs = served ? this.#nowMs() + freshForMs : -Infinity));
    return isServed;
  }

  /** @param isUseful says which answers count although they are not JSON; default: those without status 200 */
  #askEach(path: string, isUseful = isJsonOrError): Promise<Answer>[] {
    return this.#edges.map(({ transport }) =>
      transport.get(path, answerTimeoutMs).then(
        (reply) => {
          if (isUseful(reply)) return { reply };
          return { failure: new SpillwayError("target_fault", `the answer to ${path} is no JSON object`) };
        },
        (failure: unknown) => ({ failure }),
      ),
    );
  }

  async #elsewhere(model: string): Promise<HttpReply | undefined> {
    const kept = this.#metadata.get(model);
    if (kept !== undefined) return { status: 200, body: kept };
    const reply = await this.#functions.of(modelPath(model));
    if (reply === undefined || !isJsonOrError(reply)) return undefined;
    this.#metadata.set(model, reply.body);
    return reply;
  }
}

/** A reply, or why there is none. */
interface Answer {
  readonly reply?: HttpReply;
  readonly failure?: unknown;
}

/** Notes what the edge lists. Resolves with the error when it did not answer, else with undefined. */
async function askForList(edge: DirectoryEdge): Promise<unknown> {
  try {
    const models = await listedModels(edge.transport);
    if (models !== undefined) edge.listed = byName(models);
    return undefined;
  } catch (error) {
    return error;
  }
}

function byName(models: readonly ListedModel[]): Map<string, ListedModel[]> {
  const versions = new Map<string, ListedModel[]>();
  for (const model of models) versions.set(model.name, [...(versions.get(model.name) ?? []), model]);
  return versions;
}

function isJsonOrError({ status, body }: HttpReply): boolean {
  const json = status === 200 ? jsonIn(body) : {};
  return typeof json === "object" && !Array.isArray(json);
}
