/**
 * A daemon's part in models with several owners: it says how models are split where it was told so, offers its edges to
 * those that it serves, and leaves to other owners the edges that are theirs.
 */
import { hostname } from "node:os";
import type { Logger } from "pino";
import { versionedModel } from "../../../../../protocol/model-path.ts";
import type { ListedTarget, TargetChanges } from "../../../targets/target-changes.ts";
import { isHub } from "../hub/hub-target.ts";
import type { ModelOwners, OfferedEdges } from "../request-bus.ts";

export interface SplitModelsOptions {
  /** Undefined: the server has no pins, and no model is split. */
  readonly owners: ModelOwners | undefined;
  readonly targets: Pick<TargetChanges, "listed" | "leave"> | undefined;
  /** How many owners models are to have: by model, and under "*" for all others. */
  readonly wanted: ReadonlyMap<string, number>;
  /** Replicas that an edge has told of, by the URL of its target. Default: none did. */
  readonly replicas?: (url: string, model: string) => number | undefined;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** What this daemon has of a model with several owners. */
export interface HeldShare {
  readonly model: string;
  readonly owners: number;
  readonly parts: number;
  readonly edges: number;
}

/** An edge that is paused for so long is not offered for a while, in milliseconds: others may have some. */
const pausedMs = 3_000;
const leftOutMs = 30_000;

export class SplitModels {
  readonly #options: SplitModelsOptions;
  readonly #said = new Set<string>();
  readonly #told = new Map<string, string>();
  /** Since when an edge is paused, and until when it is not offered. */
  readonly #paused = new Map<string, { readonly sinceMs: number; leftOutUntilMs: number }>();
  readonly #forgetChanges: () => void;

  constructor(options: SplitModelsOptions) {
    this.#options = options;
    const { owners, targets, wanted, log } = options;
    this.#forgetChanges = owners?.onChange(() => this.#changed()) ?? (() => {});
    if (owners === undefined && wanted.size > 0)
      log.warn("--join-owners: this nats-server has no pinned owners; all daemons own all models");
    if (owners !== undefined) targets?.leave((edge, model) => this.#isOthers(edge, model));
  }

  /** The edges that this daemon offers for a model. */
  edgesFor(model: string): OfferedEdges {
    const { targets, replicas } = this.#options;
    return () => {
      const edges = new Map<string, number>();
      for (const target of targets?.listed() ?? [])
        // A hub has as much room for each of the owners.
        if (target.url !== undefined && !isHub(target.url) && this.#isOffered(target, model))
          edges.set(edgeIdOf(target.url), Math.max(1, replicas?.(target.url, model) ?? 1));
      return edges;
    };
  }

  /** This daemon serves the model: it says how many owners there are to be, where it was told so. */
  serves(model: string): void {
    const { owners, wanted, log } = this.#options;
    const count = wanted.get(model) ?? wanted.get("*");
    if (owners === undefined || count === undefined || this.#said.has(model)) return;
    // One version of a model uses the edges as the model does.
    if (!wanted.has(model) && versionedModel(model).model !== model) return;
    this.#said.add(model);
    const before = owners.splitOf(model)?.owners;
    if (before !== undefined && before !== count)
      log.warn(
        { model, owners: count, before },
        "--join-owners: the model had another number of owners; it is that of the daemon that started last",
      );
    owners.split(model, count).catch((error: unknown) => {
      this.#said.delete(model);
      log.warn({ model, why: (error as Error).message }, "not split; trying again");
    });
  }

  /** What this daemon has of each of these models. */
  held(models: Iterable<string>): HeldShare[] {
    const { owners } = this.#options;
    const held: HeldShare[] = [];
    for (const model of models) {
      const shares = owners?.sharesOf(model);
      if (owners === undefined || shares === undefined) continue;
      const { parts = [], edges = [] } = shares.get(owners.name) ?? {};
      held.push({ model, owners: shares.size, parts: parts.length, edges: edges.length });
    }
    return held;
  }

  /** Tells once each what this daemon has. */
  tell(models: Iterable<string>): void {
    for (const { model, ...facts } of this.held(models)) {
      const text = JSON.stringify(facts);
      if (this.#told.get(model) === text) continue;
      this.#told.set(model, text);
      this.#options.log.info({ model, ...facts }, "this daemon's share of the model");
    }
  }

  close(): void {
    this.#forgetChanges();
  }

  #changed(): void {
    this.#options.targets?.leave((edge, model) => this.#isOthers(edge, model));
  }

  /** An edge is left to its owner by the other owners. Whoever owns nothing has only what is still in work. */
  #isOthers({ url }: { readonly url: string }, model: string): boolean {
    const { owners } = this.#options;
    const shares = owners?.sharesOf(model);
    if (owners === undefined || shares === undefined) return false;
    const own = shares.get(owners.name);
    if (own === undefined || own.edges.length === 0) return false;
    const id = edgeIdOf(url);
    for (const { name, edges } of shares.values())
      if (name !== owners.name && edges.includes(id)) return true;
    return false;
  }

  #isOffered({ name, kind, state, health, models = [] }: ListedTarget, model: string): boolean {
    if (kind !== "edge" || state !== "serving" || !models.includes(versionedModel(model).model)) return false;
    const nowMs = performance.now();
    const paused = this.#paused.get(name);
    if (health === "healthy") this.#paused.delete(name);
    else if (paused === undefined) this.#paused.set(name, { sinceMs: nowMs, leftOutUntilMs: nowMs });
    else if (health === "paused" && nowMs - paused.sinceMs > pausedMs && nowMs >= paused.leftOutUntilMs)
      paused.leftOutUntilMs = nowMs + leftOutMs;
    return nowMs >= (this.#paused.get(name)?.leftOutUntilMs ?? -Infinity);
  }
}

/**
 * The same for all daemons that mean the same edge: an address of the machine itself is one only together with its name.
 *
 * @example edgeIdOf("http://box:8000"); // "http://box:8000"
 * @example edgeIdOf("http://127.0.0.1:8000"); // "http://127.0.0.1:8000 of plant-1"
 */
export function edgeIdOf(url: string, host = hostname()): string {
  const name = /^[a-z]+:\/\/(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1] ?? "";
  return /^(?:localhost|127\..*|\[::1\])$/.test(name) ? `${url} of ${host}` : url;
}
