/**
 * Adds and removes edges while the queue runs: on request, and as the configuration file says. An added edge is measured
 * first, beside the load; a removed one gets nothing more, and what it was sent is awaited.
 */
import type { Logger } from "pino";
import { showValue } from "../../../base/error-text.ts";
import { serverAddress } from "../../../base/program/server-address.ts";
import { ProtocolError, UnavailableError } from "../../../protocol/errors.ts";
import type { FunctionVariant } from "../../../serverless/prices/function-menu.ts";
import { functionName } from "../../../serverless/prices/fc-limits.ts";
import { type EdgeAddress, isOwnAddress } from "../choices.ts";
import type { Connections } from "../connect.ts";
import type { DaemonQueue } from "../daemon.ts";
import type { BatchRules } from "../joining/batch-rules.ts";
import type { ModelDirectory } from "../model-directory.ts";
import type { ModelTimes } from "../../policies/profile.ts";
import type { TargetWatch } from "../target-watch.ts";
import type { HttpTransport } from "../../transports/http-transport.ts";
import type { DaemonEdge, EdgeList, EdgeSource } from "./edge-list.ts";
import type { MeasuredEdge } from "./measure-edge.ts";
import type { NewModels } from "./measure-models.ts";
import type { ModelWatch } from "./watch-models.ts";

/** Most edges at once, those included that are measured or leave. */
export const mostEdges = 64;
/** When a change may be asked for again that came too early, in milliseconds. */
const startingMs = 5_000;
/** Names that are made up are tried up to this number. */
const mostNames = 10_000;

export interface TargetChangesOptions {
  readonly list: EdgeList;
  readonly functions: readonly Pick<FunctionVariant, "name" | "url">[];
  readonly models: Pick<ModelDirectory, "edges" | "forgetEdge">;
  readonly rules: Pick<BatchRules, "gone" | "removed">;
  readonly watch: Pick<TargetWatch, "changed" | "learned">;
  readonly modelWatch: Pick<ModelWatch, "start" | "stop" | "added" | "forget">;
  /** Measures models that edges list later; undefined: nobody does. */
  readonly newModels?: Pick<NewModels, "stop"> | undefined;
  readonly connections: Pick<Connections, "connectEdge" | "disconnect">;
  readonly measure: (edge: DaemonEdge, stop: AbortSignal) => Promise<MeasuredEdge>;
  /** Where the daemon listens. */
  readonly listensOn: { readonly host: string; readonly port: number };
  readonly log: Pick<Logger, "info" | "warn">;
}

/** A target as `/admin/targets` tells it. */
export interface ListedTarget {
  readonly name: string;
  readonly kind: "edge" | "serverless";
  readonly url?: string;
  readonly state: DaemonEdge["state"];
  readonly source: EdgeSource;
  readonly health?: string;
  readonly inFlight?: number;
  readonly why?: string;
  readonly models?: readonly string[];
  /** Of these models those for which other daemons use the edge. */
  readonly leftToOthers?: readonly string[];
}

/** An edge that is to be added; without a name it gets one. */
export interface WantedEdge {
  readonly name?: string | undefined;
  readonly url: string;
  /** Connects it, where its URL does not say how: that is a name for people alone then. */
  readonly connect?: (() => HttpTransport) | undefined;
}

export class TargetChanges {
  readonly #options: TargetChangesOptions;
  readonly #stop = new AbortController();
  /** Ends the measuring of an edge. */
  readonly #measuring = new Map<DaemonEdge, AbortController>();
  #queue: DaemonQueue | undefined;
  #port: number;

  constructor(options: TargetChangesOptions) {
    this.#options = options;
    this.#port = options.listensOn.port;
  }

  /** @param port that the daemon has got; undefined: the one of the options */
  start(queue: DaemonQueue, port = this.#port): void {
    this.#queue = queue;
    this.#port = port;
    this.#options.modelWatch.start(queue);
  }

  /** The queue plans with times of a model that were measured at an edge since. */
  measured({ name, number, state }: DaemonEdge, model: string, times: ModelTimes): void {
    if (state !== "serving") return;
    const { models, watch } = this.#options;
    const measured = { [model]: times };
    this.#queue?.changeTargets({ kind: "models", name, models: models.edges.usedAt(number), measured });
    watch.learned(name, measured);
  }

  /** Measures and watches nothing any more. */
  stop(): void {
    this.#stop.abort();
    this.#options.newModels?.stop();
    this.#options.modelWatch.stop();
  }

  /** From now on edges are not used for the models that `isLeft` tells to be left to other daemons. */
  leave(isLeft: (edge: Pick<DaemonEdge, "name" | "url">, model: string) => boolean): void {
    const { list, models } = this.#options;
    models.edges.leave((number, model) => {
      const edge = list.at(number);
      return edge !== undefined && isLeft(edge, model);
    });
  }

  /** All targets: edges by their numbers, then functions. */
  listed(): readonly ListedTarget[] {
    const { list, functions } = this.#options;
    const inFunctions = functions.map((each) => this.#toldFunction(each));
    return [...list.all.map((edge) => this.#told(edge)), ...inFunctions];
  }

  /** The edges that the options or the file named, as far as they are to stay. */
  get ofOptions(): readonly DaemonEdge[] {
    return this.#options.list.all.filter(({ source, state }) => source === "options" && state !== "leaving");
  }

  /**
   * Adds an edge: it is measured, and then the queue sends there.
   *
   * @param replaces an edge that has the name until then
   * @throws ProtocolError when it cannot be added; its message names the value and what is allowed
   */
  add(wanted: WantedEdge, source: EdgeSource, replaces?: DaemonEdge): ListedTarget {
    const queue = this.#startedQueue();
    const address = this.checked(wanted, replaces);
    const { list, connections, rules } = this.#options;
    if (list.all.length >= mostEdges)
      throw new ProtocolError(`there are ${list.all.length} edges; allowed: at most ${mostEdges}`, 409);
    const number = list.freeNumber();
    const connection = connections.connectEdge(address, number, wanted.connect?.());
    const edge: DaemonEdge = { ...address, ...connection, number, source, state: "measuring" };
    list.add(edge);
    rules.gone(number);
    const told = this.#told(edge);
    void this.#measure(edge, queue, replaces);
    return told;
  }

  /**
   * Removes an edge. What waits for it goes elsewhere.
   *
   * @throws ProtocolError when there is no such edge, or no other target
   */
  remove(name: string): ListedTarget {
    const queue = this.#startedQueue();
    const { list, functions } = this.#options;
    if (functions.some((each) => each.name === name))
      throw new ProtocolError(`${name} is a function; allowed: an edge, of ${this.#names()}`);
    const edge = list.all.find((each) => each.name === name && each.state !== "leaving");
    if (edge === undefined)
      throw new ProtocolError(`no edge ${showValue(name)}; there are: ${this.#names()}`, 404);
    if (edge.state === "serving" && list.live.length + functions.length === 1)
      throw new ProtocolError(`${name} is the only target; add another one first`, 409);
    this.#remove(edge, queue);
    return this.#told(edge);
  }

  /**
   * The address with its name.
   *
   * @throws ProtocolError as `add` does
   */
  checked({ name, url: given, connect }: WantedEdge, replaces?: DaemonEdge): EdgeAddress {
    const { list, functions, listensOn } = this.#options;
    if (name !== undefined && !functionName.test(name))
      throw new ProtocolError(
        `name is ${showValue(name)}; allowed: up to 64 letters, digits, _ and -, no digit or - in front`,
      );
    const url = connect === undefined ? addressIn(given) : given;
    if (connect === undefined && isOwnAddress({ ...listensOn, port: this.#port }, url))
      throw new ProtocolError(`url is ${url}, the queue itself; allowed: the address of a model server`);
    const others = list.all.filter((edge) => edge.state !== "leaving" && edge !== replaces);
    const taken = new Set([...others, ...functions].map((each) => each.name));
    if (name !== undefined && taken.has(name))
      throw new ProtocolError(`there is a target ${name} already; allowed: a name of its own`, 409);
    const same = others.find((edge) => edge.url === url);
    if (same !== undefined)
      throw new ProtocolError(`${same.name} is at ${url} already; allowed: each server once`, 409);
    return { name: name ?? freeName(taken), url };
  }

  async #measure(edge: DaemonEdge, queue: DaemonQueue, replaces: DaemonEdge | undefined): Promise<void> {
    const { measure, log, models, watch, modelWatch } = this.#options;
    const { name, url, number, transport, target } = edge;
    const own = new AbortController();
    this.#measuring.set(edge, own);
    log.info({ edge: name, at: url }, "an edge is added");
    const measured = await measure(edge, AbortSignal.any([own.signal, this.#stop.signal])).catch(
      (error: unknown) => {
        log.warn({ edge: name, why: String(error) }, "the edge is not added");
        return undefined;
      },
    );
    this.#measuring.delete(edge);
    if (measured === undefined) return this.#forget(edge);
    const { known, listed, fault } = measured;
    if (own.signal.aborted || this.#stop.signal.aborted) return this.#forget(edge);
    if (replaces !== undefined && replaces.state !== "leaving") this.#remove(replaces, queue);
    edge.state = "serving";
    models.edges.add(number, transport, listed);
    const served = models.edges.usedAt(number);
    modelWatch.added(name, served);
    queue.changeTargets({ kind: "add", target, known, models: served, fault });
    watch.changed(known.profile ?? { name, models: {} });
    const facts = { edge: name, at: url, models: served ?? [] };
    if (fault === undefined) log.info(facts, "the edge is used");
    else
      log.warn({ ...facts, why: fault.message }, "the edge does not answer; it is tried from time to time");
  }

  #remove(edge: DaemonEdge, queue: DaemonQueue): void {
    const { models, watch, modelWatch, log } = this.#options;
    const { name, number, state } = edge;
    edge.state = "leaving";
    log.info({ edge: name, at: edge.url }, "an edge is removed");
    if (state === "measuring") return this.#measuring.get(edge)?.abort();
    modelWatch.forget(name);
    queue.changeTargets({ kind: "remove", name, onGone: () => this.#forget(edge) });
    models.forgetEdge(number);
    watch.changed();
  }

  /** Nothing of it is under way any more. */
  #forget(edge: DaemonEdge): void {
    const { list, rules, connections, log } = this.#options;
    list.drop(edge);
    rules.removed(edge.number);
    connections
      .disconnect(edge.transport)
      .catch((error: unknown) => log.warn({ edge: edge.name, why: String(error) }, "not closed"));
  }

  #told(edge: DaemonEdge): ListedTarget {
    const { name, url, state, source, number } = edge;
    const facts = { name, kind: "edge", url, state, source } as const;
    if (state !== "serving") return facts;
    const { edges } = this.#options.models;
    const models = edges.servedAt(number) ?? [];
    const used = new Set(edges.usedAt(number));
    const leftToOthers = models.filter((model) => !used.has(model));
    return { ...facts, ...this.#condition(name), models, ...(leftToOthers.length > 0 && { leftToOthers }) };
  }

  #toldFunction({ name, url }: Pick<FunctionVariant, "name" | "url">): ListedTarget {
    const facts = { name, kind: "serverless", ...(url !== undefined && { url }) } as const;
    return { ...facts, state: "serving", source: "options", ...this.#condition(name) };
  }

  #condition(name: string): Pick<ListedTarget, "health" | "inFlight" | "why"> {
    const seen = this.#queue?.targetHealth().find((target) => target.name === name);
    if (seen === undefined) return {};
    const { health, inFlight, why } = seen;
    return { health, inFlight, ...(why !== undefined && { why }) };
  }

  #names(): string {
    const { list } = this.#options;
    const names = list.all.filter(({ state }) => state !== "leaving").map(({ name }) => name);
    return names.join(", ") || "none";
  }

  #startedQueue(): DaemonQueue {
    if (this.#queue !== undefined) return this.#queue;
    throw new UnavailableError("the queue is measuring its targets; they change later", startingMs);
  }
}

function addressIn(given: string): string {
  try {
    return serverAddress(given, true);
  } catch (error) {
    throw new ProtocolError(`url is ${showValue(given)}; allowed: ${(error as Error).message}`);
  }
}

function freeName(taken: ReadonlySet<string>): string {
  for (let number = 1; number <= mostNames; number++)
    if (!taken.has(`edge-${number}`)) return `edge-${number}`;
  throw new ProtocolError("no name is left; name the edge");
}
