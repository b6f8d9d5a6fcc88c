import { readdirSync, readFileSync } from "node:fs";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import { tensorFromNumbers } from "../protocol/tensor.ts";
import { eventually, isAlive, replicaEntry } from "../test/built.ts";
import type { ModelFile } from "./model-runner.ts";
import { ReplicaPool, type ReplicaPoolOptions } from "./replica-pool.ts";
import { embeddedModels } from "./repository.ts";

const model = embeddedModels()[0] as ModelFile;
const small = tensorFromNumbers("x", "FP32", [1, 3, 48, 64], new Float32Array(3 * 48 * 64));
/** Takes some seconds, so that a test can do something meanwhile. */
const large = tensorFromNumbers("x", "FP32", [400, 3, 48, 192], new Float32Array(400 * 3 * 48 * 192));

const pools: ReplicaPool[] = [];

function startPool(options: Partial<ReplicaPoolOptions> = {}): ReplicaPool {
  const pool = new ReplicaPool({
    model,
    replicas: 1,
    threads: 1,
    maxWaiting: 4,
    entry: replicaEntry,
    loadTimeoutMs: 20_000,
    runTimeoutMs: 20_000,
    log: pino({ level: "silent" }),
    ...options,
  });
  pools.push(pool);
  return pool;
}

/** Process ids of the replicas that this test started. */
function replicaPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = / ([0-9]+)/.exec(
          readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) \w/, ""),
        )?.[1];
        return (
          parent === String(process.pid) &&
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("replica-process")
        );
      } catch {
        return false;
      }
    });
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  expect(replicaPids()).toEqual([]);
});

it("runs batches on its replicas, as many at once as there are, and says who ran what", async () => {
  const pool = startPool({ replicas: 2 });
  await pool.ready();
  await eventually(() => expect(replicaPids()).toHaveLength(2));
  const results = await Promise.all([1, 2, 3, 4].map(() => pool.run([small])));
  expect(results.every(({ serviceMs }) => serviceMs > 0)).toBe(true);
  expect(results[0]?.outputs[0]).toMatchObject({ datatype: "FP32", shape: [1, 2] });
});

it("passes on that an input does not fit the model, and goes on", async () => {
  const pool = startPool();
  await pool.ready();
  await expect(pool.run([{ ...small, name: "y" }])).rejects.toMatchObject({ status: 400 });
  await expect(pool.run([small])).resolves.toMatchObject({ replica: 0 });
});

it("fails the batch of a replica that is killed as retryable, and starts another", async () => {
  const pool = startPool();
  await pool.ready();
  const [pid] = replicaPids();
  const doomed = pool.run([large]);
  const next = pool.run([small]);
  process.kill(pid as number, "SIGKILL");
  await expect(doomed).rejects.toMatchObject({ status: 503, message: /died \(SIGKILL\)/ });
  await expect(next).resolves.toMatchObject({ replica: 0 });
  expect(replicaPids()).not.toContain(pid);
  expect(pool.isReady).toBe(true);
});

it("kills a replica that runs longer than it may", async () => {
  const pool = startPool({ runTimeoutMs: 100 });
  await pool.ready();
  await expect(pool.run([large])).rejects.toMatchObject({ status: 503 });
  await eventually(() => expect(pool.run([small])).resolves.toBeDefined());
});

it("refuses batches beyond its bound", async () => {
  const pool = startPool({ maxWaiting: 2 });
  await pool.ready();
  const accepted = [1, 2, 3].map(() => pool.run([small]));
  await expect(pool.run([small])).rejects.toMatchObject({ status: 503, message: /2 batches wait/ });
  await expect(Promise.all(accepted)).resolves.toHaveLength(3);
});

it("says why a model cannot be loaded, and refuses batches for it at once", async () => {
  const pool = startPool({ model: { name: "gone", version: "1", path: "/nowhere/model.onnx" } });
  await expect(pool.ready()).rejects.toThrow(/nowhere/);
  await expect(pool.run([small])).rejects.toMatchObject({ status: 503, message: /no replica of gone is up/ });
});

it("answers what it accepted before it closes, and leaves no process behind", async () => {
  const pool = startPool();
  await pool.ready();
  const pids = replicaPids();
  const accepted = [1, 2, 3].map(() => pool.run([small]));
  const closed = pool.close();
  await expect(pool.run([small])).rejects.toMatchObject({ status: 503, message: /shutting down/ });
  await expect(Promise.all(accepted)).resolves.toHaveLength(3);
  await closed;
  expect(pids.map(isAlive)).toEqual([false]);
});

it("closes while its replicas still load", async () => {
  const pool = startPool({ replicas: 2 });
  await pool.close();
  expect(replicaPids()).toEqual([]);
});
