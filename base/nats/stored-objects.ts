/**
 * Objects in a store of the NATS server: read with a bound and to their end, removed without a trace, and swept. The client
 * alone waits for ever for the parts of an object that are gone, and leaves a message for each object that it deletes.
 */
import { Buffer } from "node:buffer";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { ObjectInfo, ObjectStore } from "@nats-io/obj";

/** Why an object cannot be read. */
export class StoredObjectFault extends Error {
  override readonly name = "StoredObjectFault";
  readonly kind: "too-large" | "stalled" | "damaged";

  constructor(kind: StoredObjectFault["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface StoredLimits {
  /** Most bytes of the object. */
  readonly mostBytes: number;
  /** How long its next part may take, in milliseconds. Default: 10,000. */
  readonly stallMs?: number;
}

export interface OpenedObject {
  readonly info: ObjectInfo;
  /** Throws a StoredObjectFault where it stops, or at its end when it is not what its checksum says. */
  readonly parts: AsyncGenerator<Uint8Array>;
}

const usualStallMs = 10_000;

/**
 * @returns null when there is no such object
 * @throws StoredObjectFault when it is too large
 */
export async function openStored(
  store: Pick<ObjectStore, "get" | "info">,
  name: string,
  { mostBytes, stallMs = usualStallMs }: StoredLimits,
): Promise<OpenedObject | null> {
  const there = await store.info(name);
  if (there === null || there.deleted) return null;
  if (there.size > mostBytes)
    throw new StoredObjectFault("too-large", `it has ${there.size} bytes; allowed: at most ${mostBytes}`);
  const got = await store.get(name);
  if (got === null) return null;
  // What it says is told by the stream as well.
  got.error.catch(() => {});
  const reader = got.data.getReader();
  return { info: got.info, parts: partsOf(reader, got.info.size, stallMs) };
}

/**
 * The whole object.
 *
 * @example
 * await readStored(store, "input-7", { mostBytes: 2 ** 20 }); // its bytes, or null when there is none
 *
 * @throws StoredObjectFault when it is too large, stops, or is not what its checksum says
 */
export async function readStored(
  store: Pick<ObjectStore, "get" | "info">,
  name: string,
  limits: StoredLimits,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const opened = await openStored(store, name, limits);
  if (opened === null) return null;
  const body = new Uint8Array(opened.info.size);
  let at = 0;
  for await (const part of opened.parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

async function* partsOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  size: number,
  stallMs: number,
): AsyncGenerator<Uint8Array> {
  let got = 0;
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), stallMs, `${got} of its ${size} bytes came`);
      if (done) break;
      got += value.length;
      if (got > size) break;
      if (value.length > 0) yield value;
    }
    if (got !== size) throw new StoredObjectFault("damaged", `it has ${got} bytes; its head says ${size}`);
  } catch (error) {
    if (!/corrupt|digest/.test((error as Error).message)) throw error;
    throw new StoredObjectFault("damaged", "its bytes are not what its checksum says");
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function within<T>(read: Promise<T>, stallMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    const told = `${what}, and nothing more within ${stallMs} ms`;
    timer = setTimeout(() => reject(new StoredObjectFault("stalled", told)), stallMs);
  });
  try {
    return await Promise.race([read, stalled]);
  } finally {
    clearTimeout(timer);
  }
}

/** Removes an object and what the store keeps of its name. */
export async function removeStored(
  manager: JetStreamManager,
  store: Pick<ObjectStore, "info">,
  bucket: string,
  name: string,
): Promise<void> {
  const info = await store.info(name);
  if (info === null) return;
  const { streams } = manager;
  await streams.purge(streamOf(bucket), { filter: `${metaOf(bucket)}.${encoded(name)}` });
  await streams.purge(streamOf(bucket), { filter: `${partOf(bucket)}.${info.nuid}` });
}

/** Gives a bucket that is there a time to live; one that has it stays as it is. */
export async function limitAge(
  manager: JetStreamManager,
  bucket: string,
  maxAgeNanos: number,
): Promise<void> {
  const { config } = await manager.streams.info(streamOf(bucket));
  if (config.max_age !== maxAgeNanos)
    await manager.streams.update(streamOf(bucket), { ...config, max_age: maxAgeNanos });
}

/**
 * Removes objects that nobody wants, and parts whose object was never finished: those that were there without a head when
 * this was called with the same `strays` before, at least `strayMs` ago.
 *
 * @param strays what the caller keeps for the next call
 * @returns how many were removed
 */
export async function sweepStored(
  manager: JetStreamManager,
  store: Pick<ObjectStore, "list" | "info">,
  bucket: string,
  isWanted: (info: ObjectInfo) => boolean,
  { strays, strayMs, nowMs }: { readonly strays: Map<string, number>; strayMs: number; nowMs: number },
): Promise<number> {
  const { streams } = manager;
  // Parts are looked at before heads, because a head comes last.
  const { state } = await streams.info(streamOf(bucket), { subjects_filter: `${partOf(bucket)}.>` });
  const headless = new Set(Object.keys(state.subjects ?? {}));
  let removed = 0;
  for (const info of await store.list()) {
    headless.delete(`${partOf(bucket)}.${info.nuid}`);
    if (isWanted(info)) continue;
    await removeStored(manager, store, bucket, info.name);
    removed++;
  }
  for (const subject of strays.keys()) if (!headless.has(subject)) strays.delete(subject);
  for (const subject of headless) {
    const sinceMs = strays.get(subject);
    if (sinceMs === undefined) strays.set(subject, nowMs);
    else if (nowMs - sinceMs >= strayMs) {
      await streams.purge(streamOf(bucket), { filter: subject });
      strays.delete(subject);
      removed++;
    }
  }
  return removed;
}

function streamOf(bucket: string): string {
  return `OBJ_${bucket}`;
}

function partOf(bucket: string): string {
  return `$O.${bucket}.C`;
}

function metaOf(bucket: string): string {
  return `$O.${bucket}.M`;
}

/** As the client encodes names, with padding. */
function encoded(name: string): string {
  return Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
