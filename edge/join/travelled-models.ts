/**
 * Models that come through the object store of the NATS server: an object is the zip of a model, and its name is the model's.
 * Each new one is fetched with its checksum and installed as a zip from anywhere else is: tried first, and the version before
 * it serves until then.
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

/** Puts a new version of a model beside the others: from a zip on this machine that has this SHA-256. */
export type InstallModel = (model: string, zip: string, sha256: Buffer) => Promise<void>;

export interface TravelledModelsOptions {
  readonly engine: Pick<Engine, "js" | "names">;
  /** Names of models; `*` is all. */
  readonly wanted: readonly string[];
  readonly install: InstallModel;
  readonly log: Pick<Logger, "info" | "error">;
}

const againMs = 2_000;

export class TravelledModels {
  readonly #options: TravelledModelsOptions;
  readonly #stop = new AbortController();
  /** By model, the digest of the object that was installed, or tried in vain. */
  readonly #done = new Map<string, string>();
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

  async #look(store: ObjectStore, { name: model, digest, deleted, size }: ObjectInfo): Promise<void> {
    const { wanted, install, log } = this.#options;
    if (deleted || (!wanted.includes("*") && !wanted.includes(model))) return;
    if (this.#done.get(model) === digest) return;
    const folder = await mkdtemp(join(tmpdir(), "spillway-model-"));
    try {
      const got = await store.get(model);
      if (got === null) return;
      const zip = join(folder, "model.zip");
      await pipeline(
        Readable.fromWeb(got.data as Parameters<typeof Readable.fromWeb>[0]),
        createWriteStream(zip),
      );
      const damage = await got.error;
      if (damage instanceof Error) throw damage;
      this.#done.set(model, digest);
      await install(model, zip, Buffer.from(digest.replace(/^SHA-256=/, ""), "base64url"));
      log.info({ model, bytes: size }, "a model came over NATS and is installed");
    } catch (error) {
      log.error({ model, why: (error as Error).message }, "a model came over NATS and is not installed");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
