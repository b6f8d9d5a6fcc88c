/**
 * Bodies that are larger than a message may be: they go through an object store, and the message says where. Whoever asked
 * removes them once it is answered; what is left of those who are gone is swept, and none stays longer than a request may.
 */
import { randomBytes } from "node:crypto";
import { Objm, type ObjectStore } from "@nats-io/obj";
import type { Engine } from "../../../../base/nats/engine.ts";
import { readStored, removeStored, sweepStored } from "../../../../base/nats/stored-objects.ts";
import { RowRoom } from "../jobs/row-room.ts";
import { apiCodes, codeOf, nanosPerMs, requestsMs, resultsMs } from "./bus-streams.ts";

type Headers = Readonly<Record<string, string>>;

export interface LargeBodiesOptions {
  readonly engine: Engine;
  /** Most bytes of all bodies in the store. */
  readonly mostStoredBytes: number;
  /** Most bytes of one body. */
  readonly mostBytes: number;
  /** Most bytes of bodies that were fetched and are not done with. */
  readonly mostHeldBytes: number;
}

const nameHeader = "spillway-stored";
/** Time that was spent on storing it, in milliseconds, which counts for the request's deadline. */
const ageHeader = "spillway-stored-ms";
const sweepEveryMs = 60_000;
const strayMs = 300_000;
/** Clocks of machines differ. */
const graceMs = 60_000;

/** A body that was fetched; call `done` when it is not needed any more. */
export interface FetchedBody {
  readonly body: Uint8Array;
  readonly done: () => void;
}

export class LargeBodies {
  readonly #options: LargeBodiesOptions;
  readonly #room: RowRoom;
  readonly #strays = new Map<string, number>();
  #store: Promise<ObjectStore> | undefined;

  constructor(options: LargeBodiesOptions) {
    this.#options = options;
    this.#room = new RowRoom(options.mostHeldBytes);
  }

  /** Where a message says that its body is; undefined: in itself. */
  nameIn(headers: Headers): string | undefined {
    return headers[nameHeader];
  }

  /** How old a message was when it was sent, in milliseconds. */
  ageIn(headers: Headers): number {
    const age = Number(headers[ageHeader] ?? 0);
    return age > 0 ? age : 0;
  }

  /**
   * Stores a body, and says what the message in its place has in its headers.
   *
   * @param of the front and the request
   * @param keptMs how long somebody may ask for it
   */
  async put(
    of: string,
    body: Uint8Array,
    keptMs: number,
  ): Promise<{ readonly name: string; headers: Headers }> {
    const name = `${of}.${randomBytes(6).toString("hex")}`;
    const startedAtMs = performance.now();
    const store = await this.#opened();
    await store.putBlob({ name, metadata: { until: String(Date.now() + keptMs) } }, body);
    const ageMs = Math.ceil(performance.now() - startedAtMs);
    return { name, headers: { [nameHeader]: name, [ageHeader]: String(ageMs) } };
  }

  /** Undefined: it is not there any more, or `stop` came first. Rejects like `readStored`. */
  async fetch(name: string, stop: AbortSignal): Promise<FetchedBody | undefined> {
    const store = await this.#opened();
    const info = await store.info(name);
    if (info === null || info.deleted) return undefined;
    const { size } = info;
    if (!(await this.#room.take(size, stop))) return undefined;
    let isDone = false;
    const done = (): void => {
      if (!isDone) this.#room.give(size);
      isDone = true;
    };
    try {
      const body = await readStored(store, name, { mostBytes: this.#options.mostBytes });
      if (body !== null) return { body, done };
      done();
      return undefined;
    } catch (error) {
      done();
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    const { manager } = this.#options.engine;
    await removeStored(manager, await this.#opened(), this.#options.engine.names.largeBodies.bucket, name);
  }

  /** Removes now and then what nobody asks for any more, until the signal. */
  sweepUntil(stop: AbortSignal): void {
    const timer = setInterval(() => void this.sweep(Date.now()).catch(() => {}), sweepEveryMs).unref();
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** @returns how many were removed */
  async sweep(nowMs: number): Promise<number> {
    const { manager } = this.#options.engine;
    try {
      await manager.streams.info(`OBJ_${this.#options.engine.names.largeBodies.bucket}`);
    } catch (error) {
      if (codeOf(error) === apiCodes.streamMissing) return 0;
      throw error;
    }
    return sweepStored(
      manager,
      await this.#opened(),
      this.#options.engine.names.largeBodies.bucket,
      // What others put there has no end of its own.
      ({ metadata, mtime }) => Number(metadata?.["until"] ?? Date.parse(mtime) + resultsMs) + graceMs > nowMs,
      { strays: this.#strays, strayMs, nowMs },
    );
  }

  /** Made when the first large body comes, because it takes room from others. */
  #opened(): Promise<ObjectStore> {
    const { engine, mostStoredBytes } = this.#options;
    const ttl = requestsMs * nanosPerMs;
    this.#store ??= new Objm(engine.js).create(engine.names.largeBodies.bucket, {
      max_bytes: mostStoredBytes,
      ttl,
    });
    return this.#store.catch((error: unknown) => {
      this.#store = undefined;
      throw error;
    });
  }
}
