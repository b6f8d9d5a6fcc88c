/**
 * The entry of an edge in the bucket of those that joined: created, renewed until it stops, and deleted then. Of two edges
 * with one name the first keeps it, and the other waits until its lease ends.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { KV } from "@nats-io/kv";
import type { Logger } from "pino";
import { type EdgeEntry, edgeEntryIn, edgeRenewMs } from "../../base/nats/edge-entry.ts";

export interface EdgeLeaseOptions {
  readonly kv: KV;
  readonly key: string;
  /** What the edge tells of itself now. */
  readonly entry: () => EdgeEntry;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

export class EdgeLease {
  readonly #options: EdgeLeaseOptions;
  readonly #stop = new AbortController();
  #revision: number | undefined;
  #told = "";
  readonly #kept: Promise<void>;

  constructor(options: EdgeLeaseOptions) {
    this.#options = options;
    this.#kept = this.#keep();
  }

  /** Leave at once, as far as the server can be reached. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#kept;
    const { kv, key } = this.#options;
    const previousSeq = this.#revision;
    if (previousSeq !== undefined) await kv.delete(key, { previousSeq }).catch(() => {});
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#renew();
      await delay(edgeRenewMs, undefined, { signal }).catch(() => {});
    }
  }

  async #renew(): Promise<void> {
    const { kv, key, entry, log } = this.#options;
    const own = entry();
    const bytes = JSON.stringify(own);
    try {
      if (this.#revision !== undefined) {
        this.#revision = await kv.update(key, bytes, this.#revision);
        return;
      }
      this.#revision = await kv.create(key, bytes);
      this.#told = "";
      log.info({ edge: own.name, models: own.models }, "this edge is known to those that joined");
    } catch (error) {
      await this.#lookWhy(own, error as Error);
    }
  }

  /** The entry has ended during a partition, or another edge has it, or an answer of the server was lost. */
  async #lookWhy(own: EdgeEntry, error: Error): Promise<void> {
    const { kv, key, log } = this.#options;
    let why = error.message;
    try {
      const there = await kv.get(key);
      const other = there?.operation === "PUT" ? edgeEntryIn(there.value) : undefined;
      if (other?.epoch === own.epoch) {
        this.#revision = there?.revision;
        return;
      }
      this.#revision = undefined;
      if (other === undefined) return;
      why = `another edge joined as ${own.name}; give this one another --join-name, or wait until the other has left`;
    } catch {
      // The server cannot be reached, which the connection tells of.
    }
    if (why !== this.#told && !this.#stop.signal.aborted)
      log.error({ edge: own.name, why }, "not known to those that joined; trying again");
    this.#told = why;
  }
}
