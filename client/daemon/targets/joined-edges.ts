/**
 * Edges that joined over NATS become targets, and leave with their leases. It reads their bucket, and takes an edge for gone
 * when its entry was deleted, has ended, or was not renewed for as long as a lease lasts by this machine's own clock: older
 * servers do not tell that an entry has ended.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Kvm } from "@nats-io/kv";
import type { Logger } from "pino";
import { edgeLeaseMs, edgeMarkerMs, type EdgeEntry, edgeEntryIn } from "../../../base/nats/edge-entry.ts";
import type { Engine } from "../../../base/nats/engine.ts";
import type { HttpAuth } from "../../transports/http-auth.ts";
import { natsTransport } from "../../transports/nats/nats-transport.ts";
import { awaitedEdges } from "./awaited-edges.ts";
import type { TargetChanges } from "./target-changes.ts";

export interface JoinedEdgesOptions {
  readonly engine: Engine;
  readonly targets: Pick<TargetChanges, "add" | "remove" | "listed">;
  /** How calls prove to edges who sends them. */
  readonly auth: HttpAuth;
  readonly mostAnswerBytes: number;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** How often leases are looked at, and how late a renewal may be before its edge is taken for gone. */
const lookEveryMs = 500;
const slackMs = 1_500;
const openAgainMs = 1_000;

interface Known {
  entry: EdgeEntry;
  renewedAtMs: number;
  /** The name of its target; undefined while it is none, because the name is taken. */
  target: string | undefined;
}

export class JoinedEdges {
  readonly #options: JoinedEdgesOptions;
  readonly #stop = new AbortController();
  /** By key of the bucket. */
  readonly #known = new Map<string, Known>();
  /** Edges that are gone and could not be removed: the last target stays until there is another one. */
  readonly #leaving = new Set<string>([awaitedEdges.name]);
  readonly #told = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #followed: Promise<void>;
  readonly #forgetReconnects: () => void;

  constructor(options: JoinedEdgesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), lookEveryMs).unref();
    // What was not renewed while nobody could be heard may still be there.
    this.#forgetReconnects = options.engine.onReconnect(() => {
      for (const known of this.#known.values()) known.renewedAtMs = performance.now();
    });
    this.#followed = this.#follow();
  }

  /** Whether some edge that joined serves, or is away for a moment only. */
  get hasAny(): boolean {
    const serving = this.#options.targets.listed().filter(({ state }) => state === "serving");
    return serving.some(({ name, source }) => source === "joined" && !this.#leaving.has(name));
  }

  /** How many replicas of a model an edge has told of, by the URL of its target; undefined: it did not. */
  replicas(url: string, model: string): number | undefined {
    for (const { entry } of this.#known.values()) if (urlOf(entry) === url) return entry.replicas[model];
    return undefined;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#forgetReconnects();
    await this.#followed;
  }

  async #follow(): Promise<void> {
    const { engine, log } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const markers = engine.can.deadlines ? { markerTTL: edgeMarkerMs } : {};
        const kv = await new Kvm(engine.js).create(engine.names.joinedEdges.bucket, {
          ttl: edgeLeaseMs,
          history: 1,
          ...markers,
        });
        const changes = await kv.watch();
        const stop = (): void => changes.stop();
        signal.addEventListener("abort", stop);
        for await (const { key, value, operation } of changes) {
          if (operation === "PUT") this.#renewed(key, value);
          else this.#left(key);
        }
        signal.removeEventListener("abort", stop);
      } catch (error) {
        if (!signal.aborted)
          log.warn({ why: (error as Error).message }, "the bucket of edges cannot be read; trying again");
      }
      await delay(openAgainMs, undefined, { signal }).catch(() => {});
    }
  }

  #renewed(key: string, value: Uint8Array): void {
    const entry = edgeEntryIn(value);
    if (entry === undefined) return;
    const known = this.#known.get(key);
    if (known?.entry.epoch === entry.epoch) {
      known.renewedAtMs = performance.now();
      known.entry = entry;
      return;
    }
    if (known !== undefined) this.#left(key);
    this.#known.set(key, { entry, renewedAtMs: performance.now(), target: undefined });
    this.#look();
  }

  #left(key: string): void {
    const known = this.#known.get(key);
    this.#known.delete(key);
    if (known?.target !== undefined) this.#leaving.add(known.target);
    this.#look();
  }

  /** Makes targets of new edges, and removes those that are gone. */
  #look(): void {
    if (this.#stop.signal.aborted) return;
    const { engine } = this.#options;
    const oldestMs = performance.now() - edgeLeaseMs - slackMs;
    for (const [key, { renewedAtMs }] of this.#known)
      if (engine.isConnected && renewedAtMs < oldestMs) {
        this.#left(key);
        return;
      }
    for (const known of this.#known.values()) if (known.target === undefined) this.#add(known);
    for (const target of this.#leaving) this.#remove(target);
  }

  #add(known: Known): void {
    const { engine, targets, auth, mostAnswerBytes, log } = this.#options;
    const { name, epoch } = known.entry;
    const subject = engine.names.joinedEdges.run(name, epoch);
    // The one before it may still be there, because it is the last target.
    const target = this.#leaving.has(name) || this.#isTaken(name) ? `${name}-${epoch.slice(0, 4)}` : name;
    const connect = () => natsTransport({ engine, subject, name, auth, mostAnswerBytes });
    try {
      targets.add({ name: target, url: urlOf(known.entry), connect }, "joined");
      known.target = target;
    } catch (error) {
      this.#tellOnce(name, (error as Error).message, log);
    }
  }

  #isTaken(name: string): boolean {
    return this.#options.targets.listed().some((each) => each.name === name && each.state !== "leaving");
  }

  #remove(target: string): void {
    const { targets } = this.#options;
    try {
      targets.remove(target);
      this.#leaving.delete(target);
    } catch {
      // It is the last one, and stays until there is another; somebody else may have removed it.
      if (!this.#isTaken(target)) this.#leaving.delete(target);
    }
  }

  #tellOnce(name: string, why: string, log: Pick<Logger, "warn">): void {
    const text = `${name}: ${why}`;
    if (this.#told.size > 1_000) this.#told.clear();
    if (this.#told.has(text)) return;
    this.#told.add(text);
    log.warn({ edge: name, why }, "an edge that joined is not used");
  }
}

/** For people, and the same at all daemons. */
function urlOf({ name, epoch }: EdgeEntry): string {
  return `nats:${name}/${epoch}`;
}
