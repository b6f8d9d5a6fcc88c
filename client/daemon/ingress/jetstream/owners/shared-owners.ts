/**
 * Who owns what of models with several owners. How a model is split stays in a bucket, whichever daemons are there; what each
 * daemon offers is in another one, with a lease. All daemons come to the same shares from that, and nobody is elected.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Kvm, type KV } from "@nats-io/kv";
import type { Logger } from "pino";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { type OwnerShare, partOf, shareOut, type Split } from "../../../../targets/share-out.ts";
import type { ModelOwners } from "../request-bus.ts";
import { followBucket } from "./follow-bucket.ts";
import {
  mostSplits,
  type OfferEntry,
  offerEntryIn,
  offerLeaseMs,
  offerMarkerMs,
  offerRenewMs,
  offeredEdges,
  offersFor,
  splitEntryIn,
  type SplitEntry,
  splitFor,
} from "./owner-entry.ts";

/** How late a renewal may be by this machine's clock. */
const slackMs = 500;
const mostTries = 5;
const leaveMs = 1_000;

interface Known {
  readonly entry: OfferEntry;
  readonly text: string;
  renewedAtMs: number;
}

interface Shares {
  readonly byOwner: ReadonlyMap<string, OwnerShare>;
  readonly ownerOf: readonly (string | undefined)[];
}

export class SharedOwners implements ModelOwners {
  readonly #engine: Engine;
  readonly #log: Pick<Logger, "info" | "warn">;
  readonly #stop = new AbortController();
  readonly #splits = new Map<string, SplitEntry>();
  readonly #offers = new Map<string, Known>();
  readonly #own = new Map<string, () => ReadonlyMap<string, number>>();
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  readonly #followed: Promise<void>[] = [];
  readonly #forgetReconnects: () => void;
  #shares = new Map<string, Shares>();
  #kv: KV | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWritten = false;
  /** Why the last offer was not written. */
  #told = "";

  /** @param engine one that has pins: others have as many owners as there are daemons */
  constructor(engine: Engine, log: Pick<Logger, "info" | "warn">) {
    this.#engine = engine;
    this.#log = log;
    const { names } = engine;
    this.#follow(names.splits.bucket, {}, (key, value) => this.#split(key, splitEntryIn(value)));
    this.#timer = setInterval(() => this.#turn(), offerRenewMs).unref();
    this.#forgetReconnects = engine.onReconnect(() => {
      for (const known of this.#offers.values()) known.renewedAtMs = performance.now();
      this.#turn();
    });
  }

  get name(): string {
    return this.#engine.name;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async split(model: string, owners: number): Promise<void> {
    const { names } = this.#engine;
    const kv = await new Kvm(this.#engine.js).create(names.splits.bucket, { history: 1 });
    const key = names.splits.key(model);
    for (let attempt = 1; ; attempt++) {
      const there = await kv.get(key);
      const before = there?.operation === "PUT" ? splitEntryIn(there.value) : undefined;
      if ((before?.owners ?? 1) === owners) return;
      const entry = splitFor(model, owners, before);
      const text = JSON.stringify(entry);
      try {
        if (there === null) await kv.create(key, text);
        else await kv.update(key, text, there.revision);
        this.#split(key, entry);
        return;
      } catch (error) {
        // Another daemon was quicker.
        if (attempt === mostTries) throw error;
      }
    }
  }

  splitOf(model: string): Split | undefined {
    return this.#splits.get(this.#engine.names.splits.key(model));
  }

  sharesOf(model: string): ReadonlyMap<string, OwnerShare> | undefined {
    return this.#sharesOf(model)?.byOwner;
  }

  /** The part that a request goes to; 0 while its model has one owner. */
  partFor(model: string, id: string): number {
    const split = this.splitOf(model);
    return split === undefined || split.owners === 1 ? 0 : partOf(id, split.parts);
  }

  /** How many parts of a model may have requests. */
  partsOf(model: string): number {
    return this.splitOf(model)?.parts ?? 1;
  }

  /** Whether this daemon is to take a part of a model that it offers. */
  isOwn(model: string, part: number): boolean {
    const shares = this.#sharesOf(model);
    // Without a word of anybody all stand in line, as for a model with one owner.
    return shares === undefined || shares.byOwner.size === 0 || shares.ownerOf[part] === this.name;
  }

  /** This daemon serves a model, and reaches these edges for it. It is asked now and then. */
  offer(model: string, edges: () => ReadonlyMap<string, number>): void {
    this.#own.set(model, edges);
    this.#turn();
  }

  /** Resolves when others know, or after a moment. */
  async withdraw(model: string): Promise<void> {
    if (!this.#own.delete(model)) return;
    await Promise.race([this.#write(), delay(leaveMs, undefined, { ref: false })]);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#own.clear();
    await Promise.race([this.#write(), delay(leaveMs, undefined, { ref: false })]);
    this.#forgetReconnects();
    this.#stop.abort();
    await Promise.race([Promise.all(this.#followed), delay(leaveMs, undefined, { ref: false })]);
  }

  #follow(
    bucket: string,
    settings: { readonly ttl?: number; readonly markerTTL?: number },
    put: (key: string, value: Uint8Array) => void,
    opened: (kv: KV) => void = () => {},
  ): void {
    const gone = (key: string): void => {
      if (bucket === this.#engine.names.splits.bucket) this.#split(key, undefined);
      else if (this.#offers.delete(key)) this.#changed();
    };
    const [engine, stop, log] = [this.#engine, this.#stop.signal, this.#log];
    this.#followed.push(followBucket({ engine, bucket, settings, put, gone, opened, stop, log }));
  }

  #split(key: string, entry: SplitEntry | undefined): void {
    const before = this.#splits.get(key);
    if (entry === undefined || (before === undefined && this.#splits.size >= mostSplits)) {
      if (!this.#splits.delete(key)) return;
    } else {
      if (before?.owners === entry.owners && before.parts === entry.parts) return;
      this.#splits.set(key, entry);
      this.#log.info({ model: entry.model, owners: entry.owners, parts: entry.parts }, "a model is split");
    }
    // Nobody has to know of others as long as each model has one owner.
    if (this.#followed.length === 1)
      this.#follow(
        this.#engine.names.owners.bucket,
        { ttl: offerLeaseMs, markerTTL: offerMarkerMs },
        (offer, value) => this.#offered(offer, value),
        (kv) => {
          this.#kv = kv;
          this.#turn();
        },
      );
    this.#changed();
    this.#turn();
  }

  #offered(key: string, value: Uint8Array): void {
    const entry = offerEntryIn(value);
    if (entry === undefined) return;
    const [known, text] = [this.#offers.get(key), JSON.stringify(entry.models)];
    if (known !== undefined) known.renewedAtMs = performance.now();
    if (known?.text === text) return;
    this.#offers.set(key, { entry, text, renewedAtMs: performance.now() });
    this.#changed();
  }

  #changed(): void {
    this.#shares = new Map();
    for (const tell of this.#listeners) tell();
  }

  #sharesOf(model: string): Shares | undefined {
    const split = this.splitOf(model);
    if (split === undefined) return undefined;
    let shares = this.#shares.get(model);
    if (shares === undefined) {
      const offers = offersFor(
        model,
        Array.from(this.#offers.values(), ({ entry }) => entry),
      );
      const byOwner = shareOut(model, split, offers);
      const ownerOf = Array.from<string | undefined>({ length: split.parts });
      for (const { name, parts } of byOwner.values()) for (const part of parts) ownerOf[part] = name;
      shares = { byOwner, ownerOf };
      this.#shares.set(model, shares);
    }
    return shares;
  }

  /** Renews what is offered, and forgets who has not. */
  #turn(): void {
    if (this.#stop.signal.aborted || this.#kv === undefined || !this.#engine.isConnected) return;
    void this.#write();
    const oldestMs = performance.now() - offerLeaseMs - slackMs;
    const gone = [...this.#offers].filter(([, { renewedAtMs }]) => renewedAtMs < oldestMs);
    for (const [key] of gone) this.#offers.delete(key);
    if (gone.length > 0) this.#changed();
  }

  /** One at a time, the latest state in each. */
  #write(): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#put())
      .then(
        () => void (this.#told = ""),
        (error: unknown) => {
          const why = (error as Error).message;
          if (this.#told !== why && !this.#stop.signal.aborted)
            this.#log.warn(
              { why },
              "others do not hear which models and edges this daemon offers; trying again",
            );
          this.#told = why;
        },
      );
    return this.#writing;
  }

  async #put(): Promise<void> {
    const [kv, { names, isConnected }] = [this.#kv, this.#engine];
    if (kv === undefined || !isConnected) return;
    const models: Record<string, Record<string, number>> = {};
    for (const [model, edges] of this.#own)
      if (this.splitOf(model) !== undefined) models[model] = offeredEdges(edges());
    const key = names.owners.key(this.name);
    if (Object.keys(models).length > 0) {
      this.#isWritten = true;
      await kv.put(key, JSON.stringify({ name: this.name, models }));
    } else if (this.#isWritten) {
      this.#isWritten = false;
      await kv.delete(key);
    }
  }
}
