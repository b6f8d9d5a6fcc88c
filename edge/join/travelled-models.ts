/**
 * Models that come through the object store of the NATS server: an object is the zip of a model, and its name is the model's.
 * Each new one is fetched with its checksum and installed as a zip from anywhere else is: tried first, and the version before
 * it serves until then. A transfer that breaks is tried again, later each time; what was fetched of it is removed at once.
 */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type ObjectInfo, type ObjectStore, Objm } from "@nats-io/obj";
import type { Logger } from "pino";
import type { Engine } from "../../base/nats/engine.ts";
import { openStored } from "../../base/nats/stored-objects.ts";

/** Puts a new version of a model beside the others: from a zip on this machine that has this SHA-256. */
export type InstallModel = (model: string, zip: string, sha256: Buffer) => Promise<void>;

export interface TravelledModelsOptions {
  readonly engine: Pick<Engine, "js" | "names">;
  /** Names of models; `*` is all. */
  readonly wanted: readonly string[];
  readonly install: InstallModel;
  /** Largest zip. */
  readonly mostBytes: number;
  /** How long the next part of a zip may take, in milliseconds. Default: 30,000. */
  readonly stallMs?: number;
  readonly log: Pick<Logger, "info" | "error">;
}

const againMs = 2_000;
const longestPauseMs = 60_000;
const usualStallMs = 30_000;

/** A transfer that broke. */
interface Broken {
  readonly nuid: string;
  readonly attempts: number;
  readonly notBeforeMs: number;
}

export class TravelledModels {
  readonly #options: TravelledModelsOptions;
  readonly #stop = new AbortController();
  /** By model, the digest of the object that was installed. */
  readonly #installed = new Map<string, string>();
  /** By model, the object that cannot be installed, until there is another. */
  readonly #refused = new Map<string, string>();
  readonly #broken = new Map<string, Broken>();
  readonly #followed: Promise<void>;

  constructor(options: TravelledModelsOptions) {
    this.#options = options;
    this.#followed = this.#follow();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#followed;
  }

  async #follow(): Promise<void> {
    const { engine, log } = this.#options;
    const { signal } = this.#stop;
    let told = "";
    while (!signal.aborted) {
      try {
        const store = await new Objm(engine.js).create(engine.names.modelBucket, {});
        for (const info of await store.list()) if (!signal.aborted) await this.#look(store, info);
        told = "";
      } catch (error) {
        const why = (error as Error).message;
        if (told !== why) log.error({ why }, "the store of models cannot be read; trying again");
        told = why;
      }
      await delay(againMs, undefined, { signal }).catch(() => {});
    }
  }

  async #look(store: ObjectStore, info: ObjectInfo): Promise<void> {
    const { name: model, digest, nuid, deleted, size } = info;
    const { wanted, mostBytes, log } = this.#options;
    if (deleted || (!wanted.includes("*") && !wanted.includes(model))) return;
    if (this.#installed.get(model) === digest || this.#refused.get(model) === nuid) return;
    const broken = this.#broken.get(model);
    if (broken?.nuid === nuid && broken.notBeforeMs > performance.now()) return;
    if (size > mostBytes) {
      const why = `it has ${size} bytes; allowed: at most ${mostBytes} (--max-model-mib)`;
      return this.#refuse(model, nuid, why);
    }
    const folder = await mkdtemp(join(tmpdir(), "spillway-model-"));
    const zip = join(folder, "model.zip");
    try {
      if (!(await this.#fetch(store, info, zip))) return;
      if (await this.#install(info, zip))
        log.info({ model, bytes: size }, "a model came over NATS and is installed");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** False: it is not there any more, or the transfer broke and is tried again. */
  async #fetch(store: ObjectStore, { name: model, nuid }: ObjectInfo, zip: string): Promise<boolean> {
    const { log, mostBytes, stallMs = usualStallMs } = this.#options;
    try {
      const opened = await openStored(store, model, { mostBytes, stallMs });
      if (opened === null) return false;
      await pipeline(Readable.from(opened.parts), createWriteStream(zip), { signal: this.#stop.signal });
      this.#broken.delete(model);
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) return false;
      const before = this.#broken.get(model);
      const attempts = before?.nuid === nuid ? before.attempts + 1 : 1;
      const pauseMs = Math.min(againMs * 2 ** (attempts - 1), longestPauseMs);
      this.#broken.set(model, { nuid, attempts, notBeforeMs: performance.now() + pauseMs });
      const why = (error as Error).message;
      log.error(
        { model, why, attempts, againInMs: pauseMs },
        "a model did not come over NATS whole; trying again",
      );
      return false;
    }
  }

  async #install({ name: model, digest, nuid }: ObjectInfo, zip: string): Promise<boolean> {
    try {
      await this.#options.install(model, zip, Buffer.from(digest.replace(/^SHA-256=/, ""), "base64url"));
      this.#installed.set(model, digest);
      return true;
    } catch (error) {
      this.#refuse(model, nuid, (error as Error).message);
      return false;
    }
  }

  #refuse(model: string, nuid: string, why: string): void {
    this.#refused.set(model, nuid);
    this.#options.log.error({ model, why }, "a model came over NATS and is not installed");
  }
}
