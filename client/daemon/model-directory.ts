/**
 * Which models there are and what they take, as the edges tell. Their last answers are kept for the time when they
 * cannot be reached, because functions serve the same models.
 */
import { z } from "zod";
import { Lru } from "../../base/lru.ts";
import type { BilledMetadata } from "./billed-metadata.ts";
import { SpillwayError } from "../../base/errors.ts";
import { jsonIn } from "../transports/reply-text.ts";
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";

/** Longest time that an edge may take to answer. */
const answerTimeoutMs = 5_000;
/** How old a list may be before it is asked for again on behalf of a model that it lacks. */
const listedForMs = 5_000;
/** Models whose metadata is kept. */
const maxDescribed = 256;

const repositoryIndex = z.array(z.object({ name: z.string().min(1), state: z.string().optional() }));

/** The state of each model, by name. */
type ModelStates = ReadonlyMap<string, string>;

/** An edge, and the models that it listed last; undefined before it has listed any. */
interface DirectoryEdge {
  readonly transport: Pick<HttpTransport, "get" | "post">;
  listed: ModelStates | undefined;
}

export class ModelDirectory {
  readonly #edges: readonly DirectoryEdge[];
  readonly #functions: BilledMetadata;
  readonly #nowMs: () => number;
  readonly #metadata = new Lru<string, Uint8Array>(maxDescribed);
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
    this.#askedAtMs = this.#nowMs();
    const failures = await Promise.all(this.#edges.map(askForList));
    if (this.#edges.some(({ listed }) => listed !== undefined)) return this.known;
    if (failures.every((failure) => failure !== undefined)) throw failures[0];
    return undefined;
  }

  /** The names as last listed. */
  get known(): readonly string[] {
    return [...new Set(this.#edges.flatMap(({ listed }) => [...(listed?.keys() ?? [])]))];
  }

  /** The state of a listed model in the words of the V2 repository index: `READY` when some edge says so. */
  stateOf(model: string): string | undefined {
    const states = this.#edges.flatMap(({ listed }) => listed?.get(model) ?? []);
    return states.find((state) => state === "READY") ?? states[0];
  }

  /** True when every edge has listed its models and this one is not among them. */
  async lacks(model: string): Promise<boolean> {
    if (!this.#isListed(model) && this.#nowMs() - this.#askedAtMs > listedForMs) {
      const asked = this.list().catch(() => undefined);
      // No request waits for an edge that has not listed anything yet, because functions may serve.
      if (this.#haveAllListed()) await asked;
    }
    return this.#haveAllListed() && !this.#isListed(model);
  }

  #isListed(model: string): boolean {
    return this.#edges.some(({ listed }) => listed?.has(model) === true);
  }

  #haveAllListed(): boolean {
    return this.#edges.every(({ listed }) => listed !== undefined);
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

  /** A model's metadata by each edge, in their order; undefined where an edge does not have it or does not answer. */
  async describeEach(model: string): Promise<(HttpReply | undefined)[]> {
    const answers = await Promise.all(this.#askEach(modelPath(model)));
    return answers.map(({ reply }) => (reply?.status === 200 ? reply : undefined));
  }

  /** Whether some edge serves the model now; undefined when none says so and one of them does not answer. */
  async isReadyAtEdge(model: string): Promise<boolean | undefined> {
    const answers = await Promise.all(this.#askEach(`${modelPath(model)}/ready`));
    const statuses = answers.map(({ reply }) => reply?.status);
    if (statuses.includes(200)) return true;
    if (statuses.includes(undefined)) return undefined;
    if (statuses.some((status) => status !== 404)) return false;
    throw new SpillwayError("model_not_found", `no model "${model}" at the edge`);
  }

  #askEach(path: string): Promise<Answer>[] {
    return this.#edges.map(({ transport }) =>
      transport.get(path, answerTimeoutMs).then(
        (reply) => ({ reply }),
        (failure: unknown) => ({ failure }),
      ),
    );
  }

  async #elsewhere(model: string): Promise<HttpReply | undefined> {
    const kept = this.#metadata.get(model);
    if (kept !== undefined) return { status: 200, body: kept };
    const reply = await this.#functions.of(modelPath(model));
    if (reply !== undefined) this.#metadata.set(model, reply.body);
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
    const { status, body } = await edge.transport.post("/v2/repository/index", answerTimeoutMs);
    const index = status === 200 ? repositoryIndex.safeParse(jsonIn(body)) : undefined;
    if (index?.success === true)
      edge.listed = new Map(index.data.map(({ name, state = "READY" }) => [name, state]));
    return undefined;
  } catch (error) {
    return error;
  }
}

function modelPath(model: string): string {
  return `/v2/models/${encodeURIComponent(model)}`;
}
