/** Lines of results that are larger than a message may be. They are objects beside the inputs of jobs, and go with their job. */
import { randomBytes } from "node:crypto";
import type { ObjectStore } from "@nats-io/obj";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { readStored, removeStored } from "../../../../../base/nats/stored-objects.ts";

/** What the headers of a record may take of its message. */
const headerRoom = 16_384;

export class LargeLines {
  readonly #engine: Engine;
  readonly #store: ObjectStore;
  readonly #mostBytes: number;

  /** @param mostBytes of a line */
  constructor(engine: Engine, store: ObjectStore, mostBytes: number) {
    this.#engine = engine;
    this.#store = store;
    this.#mostBytes = mostBytes;
  }

  /** Whether a message has no room for them. */
  areLarge(lines: Uint8Array): boolean {
    return lines.length > this.#engine.mostBytes - headerRoom;
  }

  /** Stores lines of a job, and tells where. */
  async put(id: string, lines: Uint8Array): Promise<string> {
    const name = `${id}.${randomBytes(6).toString("hex")}`;
    await this.#store.putBlob({ name }, lines);
    return name;
  }

  /** @throws Error when they are not there any more, or cannot be read */
  async fetch(name: string): Promise<Uint8Array> {
    const lines = await readStored(this.#store, name, { mostBytes: this.#mostBytes });
    if (lines === null) throw new Error(`the result ${name} is not kept any more`);
    return lines;
  }

  async remove(name: string): Promise<void> {
    const { manager, names } = this.#engine;
    await removeStored(manager, this.#store, names.jobLogs.inputs, name).catch(() => {});
  }

  async removeOf(id: string): Promise<void> {
    for (const { name } of await this.#store.list()) if (jobOf(name) === id) await this.remove(name);
  }
}

/** The job that an object of the store belongs to: its input, or some of its lines. */
export function jobOf(name: string): string {
  return name.split(".", 1)[0] as string;
}
