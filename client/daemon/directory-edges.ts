/** The edges as the directory of models knows them, and the error of a model that nobody has. */
import { showValue } from "../../base/error-text.ts";
import { SpillwayError } from "../../base/errors.ts";
import { versionedModel } from "../../protocol/model-path.ts";
import type { HttpReply, HttpTransport } from "../transports/http-transport.ts";
import { jsonIn } from "../transports/reply-text.ts";
import { type ListedModel, listedModels } from "./repository-index.ts";

/** Models of one edge that it serves without listing them, and that are remembered. */
const mostUnlisted = 256;
/** How long that is believed, in milliseconds: a model that is used is asked for more often. */
const unlistedForMs = 15_000;
/** States in which a listed model is not served; servers have many words for the others. */
const away: ReadonlySet<string> = new Set(["UNAVAILABLE", "LOADING", "UNLOADING"]);

/** A reply of an edge, or why there is none. */
export interface EdgeAnswer {
  /** Number of the edge. */
  readonly edge: number;
  readonly reply?: HttpReply;
  readonly failure?: unknown;
}

/** Longest time that an edge may take to answer. */
const answerTimeoutMs = 5_000;

export interface DirectoryEdge {
  readonly number: number;
  readonly transport: Pick<HttpTransport, "get" | "post">;
  /** The models that it listed last by name; undefined before it has listed any. */
  listed: ReadonlyMap<string, readonly ListedModel[]> | undefined;
  /** What it serves without listing it, as far as that was found out, with the time when it was. */
  readonly unlisted: Map<string, number>;
  asking: Promise<unknown> | undefined;
  /** True once it has answered without a list in a known form. */
  listsNothing: boolean;
}

/** Edges have numbers, which are given again when an edge is gone. */
export class DirectoryEdges {
  readonly #edges: (DirectoryEdge | undefined)[] = [];
  readonly #nowMs: () => number;
  #onChange: () => void = () => {};
  #isLeft: (number: number, model: string) => boolean = () => false;

  /** @param nowMs monotonic time */
  constructor(transports: readonly DirectoryEdge["transport"][], nowMs: () => number) {
    this.#nowMs = nowMs;
    for (const [number, transport] of transports.entries()) this.add(number, transport);
  }

  /** In the order of their numbers. */
  get all(): readonly DirectoryEdge[] {
    return this.#edges.filter((edge) => edge !== undefined);
  }

  /** The least number above those of all edges. */
  get end(): number {
    return this.#edges.length;
  }

  /** The names that some edge listed last. */
  get known(): readonly string[] {
    return this.all.flatMap(({ listed }) => [...(listed?.keys() ?? [])]);
  }

  get haveAllListed(): boolean {
    return this.all.every(({ listed }) => listed !== undefined);
  }

  /** `listener` is called whenever an edge serves other models than before. */
  watch(listener: () => void): void {
    this.#onChange = listener;
  }

  /** @param listed what it has listed already, if anything */
  add(number: number, transport: DirectoryEdge["transport"], listed?: DirectoryEdge["listed"]): void {
    const unasked = { unlisted: new Map<string, number>(), asking: undefined, listsNothing: false };
    this.#edges[number] = { number, transport, listed, ...unasked };
  }

  remove(number: number): void {
    this.#edges[number] = undefined;
    this.#onChange();
  }

  at(number: number): DirectoryEdge | undefined {
    return this.#edges[number];
  }

  isListed(model: string): boolean {
    return this.#edges.some((edge) => edge?.listed?.has(model) === true);
  }

  /**
   * The models that requests may be sent there for; undefined: any, because it has not said which it has. A model that no
   * edge has ready is sent where it is listed.
   */
  servedAt(number: number): readonly string[] | undefined {
    const { listed, unlisted } = this.#edges[number] ?? {};
    if (listed === undefined) return undefined;
    const served: string[] = [];
    for (const [name, versions] of listed) {
      const isUp = isReady(versions) || !this.all.some((other) => isReady(other.listed?.get(name)));
      if (isUp) served.push(name);
    }
    return [...served, ...(unlisted?.keys() ?? [])];
  }

  /** The same without the models for which other daemons use the edge. */
  usedAt(number: number): readonly string[] | undefined {
    return this.servedAt(number)?.filter((model) => !this.#isLeft(number, model));
  }

  /** From now on an edge is not used for the models that `isLeft` tells to be left to others. */
  leave(isLeft: (number: number, model: string) => boolean): void {
    this.#isLeft = isLeft;
    this.#onChange();
  }

  /** It was found out whether an edge serves a model that it may not list. */
  noteServes(number: number, name: string, isServed: boolean): void {
    const edge = this.#edges[number];
    const { model } = versionedModel(name);
    if (edge?.listed === undefined || edge.listed.has(model)) return;
    const isNews = edge.unlisted.has(model) !== isServed;
    edge.unlisted.delete(model);
    if (isServed) {
      const [oldest] = edge.unlisted.keys();
      if (edge.unlisted.size >= mostUnlisted && oldest !== undefined) edge.unlisted.delete(oldest);
      edge.unlisted.set(model, this.#nowMs());
    }
    if (isNews) this.#onChange();
  }

  /**
   * Notes what the edge lists; a question under way is shared. Resolves with the error when it did not answer, else with
   * undefined.
   */
  ask(edge: DirectoryEdge): Promise<unknown> {
    edge.asking ??= this.#askForList(edge).finally(() => (edge.asking = undefined));
    return edge.asking;
  }

  /**
   * Asks every edge for what is at a path; never rejects.
   *
   * @param isUseful says which answers count although they are not JSON; default: those without status 200
   */
  askEach(path: string, isUseful = isJsonOrError): Promise<EdgeAnswer>[] {
    return this.all.map(({ number: edge, transport }) =>
      transport.get(path, answerTimeoutMs).then(
        (reply) => {
          if (isUseful(reply)) return { edge, reply };
          const failure = new SpillwayError("target_fault", `the answer to ${path} is no JSON object`);
          return { edge, failure };
        },
        (failure: unknown) => ({ edge, failure }),
      ),
    );
  }

  async #askForList(edge: DirectoryEdge): Promise<unknown> {
    try {
      const models = await listedModels(edge.transport);
      edge.listsNothing = models === undefined;
      if (models === undefined) return undefined;
      const before = edge.listed;
      edge.listed = byName(models);
      const known = edge.unlisted.size;
      for (const [name, atMs] of edge.unlisted)
        if (edge.listed.has(name) || this.#nowMs() - atMs > unlistedForMs) edge.unlisted.delete(name);
      if (!isSame(before, edge.listed) || edge.unlisted.size < known) this.#onChange();
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

export function isJsonOrError({ status, body }: HttpReply): boolean {
  const json = status === 200 ? jsonIn(body) : {};
  return typeof json === "object" && !Array.isArray(json);
}

function isReady(versions: readonly ListedModel[] | undefined): boolean {
  return versions?.some(({ state }) => !away.has(state)) === true;
}

function isSame(before: DirectoryEdge["listed"], now: NonNullable<DirectoryEdge["listed"]>): boolean {
  if (before?.size !== now.size) return false;
  for (const [name, versions] of now) {
    const known = before.get(name);
    if (known === undefined || isReady(known) !== isReady(versions)) return false;
  }
  return true;
}

function byName(models: readonly ListedModel[]): Map<string, ListedModel[]> {
  const versions = new Map<string, ListedModel[]>();
  for (const model of models) {
    const others = versions.get(model.name);
    if (others === undefined) versions.set(model.name, [model]);
    else others.push(model);
  }
  return versions;
}

/** Names that an error lists. */
const mostShown = 10;

/** @param known names that callers may have meant */
export function notFound(model: string, known: readonly string[]): SpillwayError {
  const shown = known.slice(0, mostShown).join(", ");
  const more = known.length > mostShown ? ` and ${known.length - mostShown} more` : "";
  const there = known.length === 0 ? "no target lists any" : `there are: ${shown}${more}`;
  return new SpillwayError("model_not_found", `no model ${showValue(model)}; ${there}`);
}
