/**
 * Which models there are and what they take, as the edges tell, and functions where no edge does. Their last answers are
 * kept for the time when they cannot be reached.
 */
import { showValue } from "../../base/error-text.ts";
import { Lru } from "../../base/memory/lru.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { modelPath } from "../../protocol/model-path.ts";
import { KeptMetadata } from "./kept-metadata.ts";
import type { BilledMetadata } from "./billed-metadata.ts";
import { ModelSignatures } from "./model-signatures.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { HttpReply } from "../transports/http-transport.ts";
import { type DirectoryEdge, DirectoryEdges, isJsonOrError, notFound } from "./directory-edges.ts";
import { namedExample } from "./named-example.ts";
import type { ListedModel } from "./repository-index.ts";

/** Longest time that an edge may take to load a model. */
const loadTimeoutMs = 120_000;
/** How old an answer may be before it is asked for again: a list on behalf of a model that it lacks, or metadata. */
const freshForMs = 5_000;
/** Models that no edge lists, and that are asked for at once all the same. */
const mostUnlisted = 16;
/** Models of which is kept what edges say without listing them, and how they are described. */
const maxDescribed = 256;

/** When a caller may ask again for a model of which nothing can be said now. */
const askAgainMs = 5_000;

export class ModelDirectory {
  readonly edges: DirectoryEdges;
  readonly #functions: BilledMetadata;
  readonly #nowMs: () => number;
  readonly #metadata: KeptMetadata;
  /** Whether models that no edge lists are served all the same. */
  readonly #unlisted = new Lru<string, { readonly isServed: Promise<Unlisted>; untilMs: number }>(
    maxDescribed,
  );
  readonly #few = new Semaphore(mostUnlisted);
  readonly #signatures = new ModelSignatures(maxDescribed);
  #listing: Promise<readonly unknown[]> | undefined;
  #askedAtMs = -Infinity;

  /**
   * @param edges may be none
   * @param functions are asked for what no edge tells
   * @param nowMs monotonic time
   */
  constructor(edges: readonly DirectoryEdge["transport"][], functions: BilledMetadata, nowMs: () => number) {
    this.edges = new DirectoryEdges(edges, nowMs);
    this.#functions = functions;
    this.#nowMs = nowMs;
    this.#metadata = new KeptMetadata(freshForMs, nowMs);
  }

  /**
   * The names of all models that some edge has, and those that functions are known to have. Functions are asked where no
   * edge lists its models. Undefined when nobody lists any. Of an edge that cannot be reached, those that it listed last.
   *
   * @throws SpillwayError when no target was ever reached
   */
  async list(): Promise<readonly string[] | undefined> {
    const failures = await this.#ask();
    if (this.edges.all.some(({ listed }) => listed !== undefined)) return this.known;
    const wereReached = failures.some((failure) => failure === undefined);
    const names = await this.#functions.list().catch((error: unknown) => {
      if (!wereReached) throw failures[0] ?? error;
    });
    if (names !== undefined) return this.known;
    if (!wereReached && failures.length > 0) throw failures[0];
    return undefined;
  }

  /** The names as last listed. */
  get known(): readonly string[] {
    return [...new Set([...this.edges.known, ...this.#functions.known])];
  }

  /** The names that one edge listed last; none before it has listed any. */
  listedAt(edge: number): readonly string[] {
    return [...(this.edges.at(edge)?.listed?.keys() ?? [])];
  }

  /** The versions of a listed model: of the first edge that has it ready, else of the first that has it. */
  listedVersions(model: string): readonly ListedModel[] {
    const each = this.edges.all.flatMap(({ listed }) => {
      const versions = listed?.get(model);
      return versions === undefined ? [] : [versions];
    });
    return each.find((versions) => versions.some(({ state }) => state === "READY")) ?? each[0] ?? [];
  }

  /** Whether the edge that has it loads it when it is asked, at the cost of others. */
  isOnDemand(model: string): boolean {
    return this.listedVersions(model).some(({ isOnDemand }) => isOnDemand === true);
  }

  /** The state of a listed model in the words of the V2 repository index: `READY` when some edge says so. */
  stateOf(model: string): string | undefined {
    const states = this.listedVersions(model).map(({ state }) => state);
    return states.find((state) => state === "READY") ?? states[0];
  }

  /** Whether some target has listed the model, or described it. */
  isKnown(model: string): boolean {
    return this.edges.isListed(model) || this.#functions.known.includes(model);
  }

  /**
   * True when every edge has listed its models, this one is not among them, no edge serves it all the same, and no
   * function has it. Requests for an unknown model wait for a question under way.
   *
   * @throws SpillwayError when no function has it, and an edge that might cannot be asked
   */
  async lacks(model: string): Promise<boolean> {
    if (this.isKnown(model)) return false;
    // No request waits for an edge that has not listed anything yet, because functions may serve.
    const canWait = this.edges.haveAllListed;
    if (this.#listing !== undefined || this.#nowMs() - this.#askedAtMs > freshForMs) {
      const asked = this.#ask();
      if (canWait) await asked;
    }
    if (this.edges.isListed(model)) return false;
    const haveAllListed = this.edges.haveAllListed;
    if (haveAllListed && (await this.#atEdgesUnlisted(model)) === "served") return false;
    if (this.#functions.size === 0) return haveAllListed;
    const verdict = await this.#functions.verdict(modelPath(model));
    // A function that does not answer questions now may answer the request.
    if (verdict === "has" || verdict === "failed") return false;
    if (haveAllListed) return true;
    await this.#listing;
    if (this.edges.isListed(model)) return false;
    const atEdges = await this.#atEdgesUnlisted(model);
    if (atEdges !== "not told") return atEdges === "not served";
    throw new SpillwayError(
      "target_unreachable",
      `no function has a model ${showValue(model)}, and not every edge can be asked`,
      {
        retryAfterMs: askAgainMs,
      },
    );
  }

  /**
   * A model's metadata: from the first edge that has it, else as an edge that is away gave it last, else from a function.
   * Rejects with a SpillwayError when there is none.
   */
  async describe(model: string): Promise<HttpReply> {
    const asked = this.edges.askEach(modelPath(model));
    let first: HttpReply | undefined;
    let error: unknown;
    let haveAllAnswered = true;
    for (const question of asked) {
      const { edge, reply, failure } = await question;
      if (reply?.status === 200) {
        this.edges.noteServes(edge, model, true);
        this.#metadata.set(model, reply.body);
        return reply;
      }
      if (reply === undefined || reply.status >= 500) haveAllAnswered = false;
      first ??= reply;
      error ??= failure;
    }
    const kept = haveAllAnswered ? undefined : this.#metadata.get(model);
    const found =
      kept === undefined ? ((await this.#fromFunctions(model)) ?? first) : { status: 200, body: kept };
    if (found !== undefined) return found;
    throw error ?? this.#functions.failureAt(modelPath(model)) ?? notFound(model, this.known);
  }

  /** Like `describe`, with metadata that may be a few seconds old. A question under way is shared. */
  describeLately(model: string): Promise<HttpReply> {
    return this.#metadata.lately(model, () => this.describe(model));
  }

  /** What each edge answers at a path below the model's, whatever its status, by its number; undefined: nothing. */
  async eachOf(model: string, below = ""): Promise<(HttpReply | undefined)[]> {
    const replies = Array.from({ length: this.edges.end }, (): HttpReply | undefined => undefined);
    for (const { edge, reply } of await Promise.all(this.edges.askEach(`${modelPath(model)}${below}`)))
      replies[edge] = reply;
    if (below === "") this.#signatures.note(model, replies);
    return replies;
  }

  /** A request that suits the model, as the first edge names it that does; undefined when none does in time. */
  async exampleOf(model: string, timeoutMs: number): Promise<InferRequest | undefined> {
    const named = await Promise.all(this.edges.all.map((edge) => namedExample(edge, model, timeoutMs)));
    return named.find((request) => request !== undefined);
  }

  /**
   * False when targets are known to describe the model differently, so that what one of them says of a request need not
   * hold for another. Makes no question.
   */
  isAlikeEverywhere(model: string): boolean {
    const { isEmpty } = this.#functions;
    return this.#signatures.areAlike(model, () => (isEmpty ? [] : this.#functions.keptOf(modelPath(model))));
  }

  /** Asks each function what a model takes, which is billed, so that `isAlikeEverywhere` knows. */
  async askFunctions(model: string): Promise<void> {
    await this.#functions.askAll(modelPath(model));
  }

  /** A model's metadata as some server gave it last, without a question; undefined when none did. */
  keptMetadata(model: string): Uint8Array | undefined {
    return this.#metadata.get(model);
  }

  /** Another edge has that number from now on, or none. */
  forgetEdge(number: number): void {
    this.edges.remove(number);
    this.#signatures.forget(number);
  }

  /** Whether some target serves the model now; undefined when none says so and one of them does not answer. */
  async isReadyAt(model: string): Promise<boolean | undefined> {
    const answers = await Promise.all(this.edges.askEach(`${modelPath(model)}/ready`, () => true));
    const statuses = answers.map(({ reply }) => reply?.status);
    if (statuses.includes(200)) return true;
    const verdict = this.#functions.size === 0 ? "lacks" : await this.#functions.verdict(modelPath(model));
    if (verdict === "has") return true;
    if (statuses.includes(undefined) || verdict === "failed") return undefined;
    if (statuses.some((status) => status !== 404)) return false;
    throw notFound(model, this.known);
  }

  /**
   * Has every edge load or unload a model, and lists the models anew.
   *
   * @param authorization the caller's own, which the edges check
   * @returns the first answer that is no 200, else the first
   * @throws SpillwayError when an edge does not answer, or there is none
   */
  async change(path: string, body: object, authorization: string | undefined): Promise<HttpReply> {
    const edges = this.edges.all;
    if (edges.length === 0)
      throw new SpillwayError("request_rejected", "there is no edge that could load or unload a model");
    const replies = await Promise.all(
      edges.map(({ transport }) => transport.post(path, loadTimeoutMs, body, { authorization })),
    );
    await this.#ask();
    return (replies.find(({ status }) => status !== 200) ?? replies[0]) as HttpReply;
  }

  /** One question to every edge, shared by all who ask meanwhile. Never rejects; has the failure of each edge. */
  #ask(): Promise<readonly unknown[]> {
    if (this.#listing !== undefined) return this.#listing;
    this.#askedAtMs = this.#nowMs();
    this.#listing = Promise.all(this.edges.all.map((edge) => this.edges.ask(edge))).finally(
      () => (this.#listing = undefined),
    );
    return this.#listing;
  }

  /** The index is optional, and some servers list the models alone that they have loaded. */
  #atEdgesUnlisted(model: string): Promise<Unlisted> {
    const known = this.#unlisted.get(model);
    if (known !== undefined && this.#nowMs() < known.untilMs) return known.isServed;
    const isServed = this.#few.run(async (): Promise<Unlisted> => {
      const answers = await Promise.all(this.edges.askEach(modelPath(model), () => true));
      let said: Unlisted = "not served";
      for (const { edge, reply } of answers) {
        const isThere = reply && reply.status !== 404 && reply.status !== 400;
        if (isThere !== undefined) this.edges.noteServes(edge, model, isThere);
        if (isThere === true) said = "served";
        else if (isThere === undefined && said !== "served") said = "not told";
      }
      return said;
    });
    const entry = { isServed, untilMs: Infinity };
    this.#unlisted.set(model, entry);
    void isServed.then(
      (said) => (entry.untilMs = said === "served" ? this.#nowMs() + freshForMs : -Infinity),
    );
    return isServed;
  }

  async #fromFunctions(model: string): Promise<HttpReply | undefined> {
    const reply = await this.#functions.of(modelPath(model));
    if (reply === undefined || !isJsonOrError(reply)) return undefined;
    this.#metadata.set(model, reply.body);
    return reply;
  }
}

/** What edges say of a model that none lists; `not told` where one of them does not answer. */
type Unlisted = "served" | "not served" | "not told";
