/** Reads a key-value bucket of the engine as it changes, and begins anew when it cannot be read. */
import { setTimeout as delay } from "node:timers/promises";
import { type KV, Kvm, type KvOptions } from "@nats-io/kv";
import type { Logger } from "pino";
import type { Engine } from "../../../../../base/nats/engine.ts";

export interface FollowOptions {
  readonly engine: Engine;
  readonly bucket: string;
  readonly settings: Partial<KvOptions>;
  /** Called with each entry that is there, and then with each change. */
  readonly put: (key: string, value: Uint8Array) => void;
  readonly gone: (key: string) => void;
  readonly opened?: (kv: KV) => void;
  readonly stop: AbortSignal;
  readonly log: Pick<Logger, "warn">;
}

const againMs = 1_000;

/** Resolves after `stop`. */
export async function followBucket(options: FollowOptions): Promise<void> {
  const { engine, bucket, settings, put, gone, opened, stop, log } = options;
  let told: string | undefined;
  while (!stop.aborted) {
    try {
      const kv = await new Kvm(engine.js).create(bucket, { history: 1, ...settings });
      opened?.(kv);
      const changes = await kv.watch();
      const end = (): void => changes.stop();
      stop.addEventListener("abort", end);
      if (stop.aborted) end();
      for await (const { key, value, operation } of changes)
        if (operation === "PUT") put(key, value);
        else gone(key);
      stop.removeEventListener("abort", end);
    } catch (error) {
      const why = (error as Error).message;
      if (!stop.aborted && told !== why) log.warn({ bucket, why }, "a bucket cannot be read; trying again");
      told = why;
    }
    await delay(againMs, undefined, { signal: stop, ref: false }).catch(() => {});
  }
}
