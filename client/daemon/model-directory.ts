/**
 * Which models there are and what they are like, as the edge tells it; what it once told is kept for the time when
 * it cannot be reached, because functions serve the same models.
 */
import { z } from "zod";
import type { BilledMetadata } from "./billed-metadata.ts";
import { SpillwayError } from "../../base/errors.ts";
import { jsonIn } from "../transports/json-in.ts";
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";

/** Longest time that the model server may take to answer, in milliseconds. */
const answerTimeoutMs = 5_000;
/** A model that is not listed is looked for again after this time, in milliseconds: it may be new. */
const listedForMs = 5_000;
/** Models whose metadata is kept. */
const maxDescribed = 256;

const repositoryIndex = z.array(z.object({ name: z.string().min(1), state: z.string().optional() }));

export class ModelDirectory {
  readonly #edge: HttpTransport;
  readonly #functions: BilledMetadata;
  readonly #nowMs: () => number;
  readonly #metadata = new Map<string, Uint8Array>();
  /** By name, how the edge says that it stands. */
  #listed: ReadonlyMap<string, string> | undefined;
  #askedAtMs = -Infinity;

  /**
   * @param functions serve the same models, and are asked when the edge cannot be
   * @param nowMs monotonic time
   */
  constructor(edge: HttpTransport, functions: BilledMetadata, nowMs: () => number) {
    this.#edge = edge;
    this.#functions = functions;
    this.#nowMs = nowMs;
  }

  /**
   * The names of the models; undefined when the server has none to give. While it cannot be reached, those that it
   * gave last.
   *
   * @throws SpillwayError when it was never reached
   */
  async list(): Promise<readonly string[] | undefined> {
    this.#askedAtMs = this.#nowMs();
    try {
      const { status, body } = await this.#edge.post("/v2/repository/index", answerTimeoutMs);
      const index = status === 200 ? repositoryIndex.safeParse(jsonIn(body)) : undefined;
      if (index?.success === true)
        this.#listed = new Map(index.data.map(({ name, state = "READY" }) => [name, state]));
    } catch (error) {
      if (this.#listed === undefined) throw error;
    }
    return this.#listed && [...this.#listed.keys()];
  }

  /** The names as last listed. */
  get known(): readonly string[] {
    return [...(this.#listed?.keys() ?? [])];
  }

  /** How a listed model stands at the edge, in the words of the V2 repository index. */
  stateOf(model: string): string | undefined {
    return this.#listed?.get(model);
  }

  /** True when the edge lists its models and this one is not among them. */
  async lacks(model: string): Promise<boolean> {
    const isKnown = this.#listed?.has(model) === true;
    if (!isKnown && this.#nowMs() - this.#askedAtMs > listedForMs) {
      const asked = this.list().catch(() => undefined);
      // An edge that has not listed anything yet holds up nobody: functions may serve.
      if (this.#listed !== undefined) await asked;
    }
    return this.#listed !== undefined && !this.#listed.has(model);
  }

  /**
   * A model's metadata: from the edge, as it was when last asked, or from a function. Rejects with a
   * SpillwayError when none is to be had.
   */
  async describe(model: string): Promise<HttpReply> {
    try {
      const reply = await this.#edge.get(modelPath(model), answerTimeoutMs);
      if (reply.status === 200) this.#keep(model, reply.body);
      return reply.status < 500 ? reply : ((await this.#elsewhere(model)) ?? reply);
    } catch (error) {
      const reply = await this.#elsewhere(model);
      if (reply === undefined) throw error;
      return reply;
    }
  }

  async #elsewhere(model: string): Promise<HttpReply | undefined> {
    const kept = this.#metadata.get(model);
    if (kept !== undefined) return { status: 200, body: kept };
    const reply = await this.#functions.of(modelPath(model));
    if (reply !== undefined) this.#keep(model, reply.body);
    return reply;
  }

  /** Whether the edge serves the model now: undefined when it cannot be asked. */
  async isReadyAtEdge(model: string): Promise<boolean | undefined> {
    try {
      const { status } = await this.#edge.get(`${modelPath(model)}/ready`, answerTimeoutMs);
      if (status === 404) throw new SpillwayError("model_not_found", `no model "${model}" at the edge`);
      return status === 200;
    } catch (error) {
      if (error instanceof SpillwayError && error.code === "model_not_found") throw error;
      return undefined;
    }
  }

  #keep(model: string, body: Uint8Array): void {
    this.#metadata.set(model, body);
    if (this.#metadata.size > maxDescribed) {
      this.#metadata.delete(this.#metadata.keys().next().value as string);
    }
  }
}

function modelPath(model: string): string {
  return `/v2/models/${encodeURIComponent(model)}`;
}
