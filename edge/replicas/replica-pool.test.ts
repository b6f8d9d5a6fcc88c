// @module-tag slow
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import type { UnavailableError } from "../../protocol/errors.ts";
import { eventually, isAlive } from "../../test/support/built.ts";
import {
  outputNumbers,
  poison,
  poolOptions,
  rowsRequest,
  slowRow,
  startPool,
} from "../../test/support/scripted-pool.ts";
import { ReplicaPool } from "./replica-pool.ts";
import type { ReplicaPoolOptions } from "./replica-pool-options.ts";

const pools: ReplicaPool[] = [];

async function up(options: Partial<ReplicaPoolOptions> = {}): Promise<ReplicaPool> {
  const pool = await startPool(options);
  pools.push(pool);
  await eventually(() => expect(pool.status().replicas.every(({ state }) => state === "up")).toBe(true));
  return pool;
}

function pidsOf(pool: ReplicaPool): number[] {
  return pool.status().replicas.map(({ pid }) => pid as number);
}

/** A run that holds one replica until it is let go by a kill, or has taken that long. */
function occupy(pool: ReplicaPool, ms: number): Promise<unknown> {
  return pool.run(rowsRequest(slowRow(ms)));
}

afterEach(async () => {
  const pids = pools.flatMap(pidsOf).filter((pid) => pid !== undefined);
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  expect(pids.filter(isAlive)).toEqual([]);
});

describe("batches", () => {
  it("are made of what waits while the replica is busy, and every request gets its own rows back", async () => {
    const pool = await up();
    const first = occupy(pool, 50);
    const results = await Promise.all([[1], [2, 3], [4]].map((values) => pool.run(rowsRequest(...values))));
    await first;
    expect(results.map((result) => outputNumbers(result, "y"))).toEqual([[1], [2, 3], [4]]);
    expect(results.map((result) => outputNumbers(result, "run")[0])).toEqual([2, 2, 2]);
    expect(results.every(({ queuedMs }) => queuedMs > 0)).toBe(true);
  });

  it("have as many rows as they may", async () => {
    const pool = await up({ maxBatchRows: 3 });
    const first = occupy(pool, 50);
    const results = await Promise.all([1, 2, 3, 4].map((value) => pool.run(rowsRequest(value))));
    await first;
    expect(results.map((result) => outputNumbers(result, "run")[0])).toEqual([2, 2, 2, 3]);
  });

  it.each([
    ["least-work", [0, 0, 0]],
    ["round-robin", [0, 1, 0]],
  ] as const)("go by %s to the replicas that are free", async (balance, expected) => {
    const pool = await up({ replicas: 2, balance });
    const replicas: number[] = [];
    for (let request = 0; request < 3; request++) replicas.push((await pool.run(rowsRequest(1))).replica);
    expect(replicas).toEqual(expected);
  });

  it("run on all replicas at once", async () => {
    const pool = await up({ replicas: 2 });
    const results = await Promise.all([0, 1].map(() => pool.run(rowsRequest(slowRow(50)))));
    expect(results.map(({ replica }) => replica)).toEqual([0, 1]);
  });
});

describe("a request that cannot be answered", () => {
  it("fails at once when it does not fit the model", async () => {
    const pool = await up();
    const [x] = rowsRequest(1).inputs;
    const wrong = { parameters: {}, inputs: [{ ...x, name: "z" } as never] };
    await expect(pool.run(wrong)).rejects.toMatchObject({ status: 400, message: /no input "z"/ });
    expect(outputNumbers(await pool.run(rowsRequest(1)), "run")).toEqual([1]);
  });

  it("fails alone when it spoils a batch", async () => {
    const pool = await up();
    const first = occupy(pool, 50);
    const values = [1, 2, 3, poison.fails, 5, 6, 7, 8];
    const results = await Promise.allSettled(values.map((value) => pool.run(rowsRequest(value))));
    await first;
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(values.map((value) => value > 0));
    expect(results[3]).toMatchObject({ reason: { status: 500, message: /a row is poisoned/ } });
  });

  it("fails alone when every replica that runs it dies, and costs three of them", async () => {
    const pool = await up();
    const first = occupy(pool, 50);
    const values = [1, poison.dies, 3, 4];
    const results = await Promise.allSettled(values.map((value) => pool.run(rowsRequest(value))));
    await first;
    expect(results.map(({ status }) => status === "fulfilled")).toEqual(values.map((value) => value > 0));
    expect(results[1]).toMatchObject({
      reason: { status: 500, message: /every replica of scripted that ran this request died: SIGKILL/ },
    });
    expect(pool.status().replicas[0]).toMatchObject({ restarts: 3, lastError: "SIGKILL" });
  });

  it("is refused with the time to come back when the queue is full", async () => {
    const pool = await up({ maxQueueRows: 2 });
    const accepted = [occupy(pool, 100), pool.run(rowsRequest(1)), pool.run(rowsRequest(2))];
    await expect(pool.run(rowsRequest(3))).rejects.toMatchObject({
      status: 503,
      message: /queue of scripted is full: 2 rows with 8 bytes wait/,
      retryAfterS: 1,
    });
    await expect(Promise.all(accepted)).resolves.toHaveLength(3);
  });

  it("is refused at once when what waits takes longer than the queue may, at what was learned", async () => {
    const pool = await up({ maxQueueMs: 50 });
    await occupy(pool, 200);
    const accepted = [occupy(pool, 200), occupy(pool, 200)];
    const refused = {
      status: 503,
      reason: "overloaded",
      message: /queue of scripted is too long: 1 rows wait/,
    };
    expect(() => pool.checkRoom(4)).toThrow(expect.objectContaining({ status: 503, reason: "overloaded" }));
    await expect(pool.run(rowsRequest(1))).rejects.toMatchObject(refused);
    await expect(Promise.all(accepted)).resolves.toHaveLength(2);
    expect(pool.status().dropped).toMatchObject({ "long-queue": 2, full: 0 });
    expect(() => pool.checkRoom(4)).not.toThrow();
  });

  it("is refused at once when those before it leave it no time, and none is without a deadline", async () => {
    const pool = await up();
    await occupy(pool, 300);
    const accepted = [occupy(pool, 300), pool.run(rowsRequest(1)), pool.run(rowsRequest(2))];
    const deadlineAtMs = performance.now() + 400;
    await expect(pool.run(rowsRequest(3), { deadlineAtMs })).rejects.toMatchObject({
      status: 503,
      reason: "overloaded",
      message: /would miss its deadline in the queue of scripted/,
    });
    expect(performance.now()).toBeLessThan(deadlineAtMs);
    await expect(Promise.all(accepted)).resolves.toHaveLength(3);
    expect(pool.status().dropped).toMatchObject({ "too-late": 1 });
  });

  it("is tried when nothing else waits, although no batch was ever as fast as its deadline asks", async () => {
    const pool = await up();
    await occupy(pool, 1_500);
    const deadlineAtMs = performance.now() + 1_000;
    const tried = await pool.run(rowsRequest(4), { deadlineAtMs });
    expect(outputNumbers(tried, "y")).toEqual([4]);
  });

  it("ends at its deadline, waiting or running, and never runs after it", async () => {
    const pool = await up();
    const startedAtMs = performance.now();
    const running = pool.run(rowsRequest(slowRow(1_000)), { deadlineAtMs: startedAtMs + 20 });
    const waiting = pool.run(rowsRequest(1), { deadlineAtMs: startedAtMs + 40 });
    await expect(running).rejects.toMatchObject({ status: 504 });
    await expect(waiting).rejects.toMatchObject({ status: 504 });
    expect(pool.status().replicas[0]?.batch).toMatchObject({ rows: 1 });
    expect(outputNumbers(await pool.run(rowsRequest(1)), "run")).toEqual([2]);
    const past = pool.run(rowsRequest(1), { deadlineAtMs: startedAtMs });
    await expect(past).rejects.toMatchObject({ status: 504 });
  });

  it("is taken out when its caller hangs up, and does no harm to those it would have run or runs with", async () => {
    const pool = await up();
    const [a, b] = [new AbortController(), new AbortController()];
    const running = pool.run(rowsRequest(slowRow(50)), { hungUp: a.signal });
    const waiting = pool.run(rowsRequest(1), { hungUp: b.signal });
    const mate = pool.run(rowsRequest(2));
    for (const each of [a, b]) each.abort();
    await expect(running).rejects.toMatchObject({ status: 499 });
    await expect(waiting).rejects.toMatchObject({ status: 499 });
    expect(outputNumbers(await mate, "run")).toEqual([2]);
    expect(pool.status()).toMatchObject({ openRequests: 0, queueRows: 0, queueBytes: 0 });
  });
});

describe("a replica", () => {
  it("that is killed in the middle of a batch is replaced, and its batch is run again", async () => {
    const pool = await up();
    const [pid] = pidsOf(pool);
    const running = pool.run(rowsRequest(slowRow(100), 7));
    const waiting = pool.run(rowsRequest(8));
    process.kill(pid as number, "SIGKILL");
    expect(outputNumbers(await running, "y")[1]).toBe(7);
    expect(outputNumbers(await waiting, "y")).toEqual([8]);
    expect(pidsOf(pool)).not.toContain(pid);
    expect(pool.isReady).toBe(true);
  });

  it("that is stopped in the middle of a batch counts as hung: it is killed, and its batch is run again", async () => {
    const pool = await up({ hangFloorMs: 3_000 });
    for (let run = 0; run < 5; run++) await pool.run(rowsRequest(1));
    const [pid] = pidsOf(pool);
    const running = pool.run(rowsRequest(slowRow(100)));
    process.kill(pid as number, "SIGSTOP");
    expect(outputNumbers(await running, "run")).toEqual([1]);
    expect(pool.status().replicas[0]?.lastError).toMatch(/hung: no answer within 3000 ms/);
    expect(isAlive(pid as number)).toBe(false);
  });

  it("that is stopped while it has nothing to do is found out and replaced", async () => {
    const pool = await up({ pingMs: 300 });
    const [pid] = pidsOf(pool);
    process.kill(pid as number, "SIGSTOP");
    await eventually(() => expect(pool.isReady).toBe(false));
    await eventually(() => expect(pool.isReady).toBe(true));
    expect(pidsOf(pool)).not.toContain(pid);
    expect(pool.status().replicas[0]?.lastError).toMatch(/hung: no answer within 300 ms/);
  });

  it("that never ends a run costs the request that made it so, and no other", async () => {
    const pool = await up({ runTimeoutMs: 800 });
    const stuck = pool.run(rowsRequest(poison.hangs));
    const next = pool.run(rowsRequest(1));
    await expect(stuck).rejects.toMatchObject({ status: 500, message: /hung: no answer within 800 ms/ });
    expect(outputNumbers(await next, "y")).toEqual([1]);
  });

  it("whose model does not keep rows apart gets requests singly from then on", async () => {
    const pool = await up();
    const first = occupy(pool, 50);
    const results = await Promise.all([1, poison.dropsRows].map((value) => pool.run(rowsRequest(value))));
    await first;
    expect(results.map((result) => outputNumbers(result, "y"))).toEqual([[1], [poison.dropsRows]]);
    expect(pool.status().events[1]?.text).toMatch(/requests run singly from now on: output "y"/);
  });

  it("has what it writes to its error stream in the log, by the name of its model", async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write: (line: Buffer, _, done) => {
        lines.push(String(line));
        done();
      },
    });
    const model = { name: "talks", version: "1", path: "" };
    const pool = new ReplicaPool(
      poolOptions({ model, entry: new URL("file:///no/such/entry.js"), log: pino(sink) }),
    );
    pools.push(pool);
    await expect(pool.ready()).rejects.toThrow("a replica of talks died (exit code 1)");
    const ofReplica = await eventually(() => {
      const found = lines.filter((line) => line.includes('"stream":"stderr"'));
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    expect(ofReplica.every((line) => line.includes('"model":"talks"'))).toBe(true);
  });
});

describe("a model", () => {
  it("says why it cannot be loaded, and refuses requests at once", async () => {
    const model = { name: "gone", version: "1", path: "/nowhere/model.onnx" };
    const pool = new ReplicaPool(poolOptions({ model }));
    pools.push(pool);
    await expect(pool.run(rowsRequest(1))).rejects.toMatchObject({ status: 503, message: /not loaded yet/ });
    await expect(pool.ready()).rejects.toThrow(/nowhere/);
    const refused = pool.run(rowsRequest(1));
    await expect(refused).rejects.toMatchObject({
      status: 503,
      message: /model gone cannot be loaded: .*nowhere/,
    });
    expect(pool.isReady).toBe(false);
    expect(pool.status()).toMatchObject({ state: "failed", lastError: expect.stringContaining("nowhere") });
  });

  it("that cannot be loaded is not tried again, because it stays as it is", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "spillway-pool-")), "model.onnx");
    writeFileSync(path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10\n");
    const pool = new ReplicaPool(
      poolOptions({ model: { name: "pointer", version: "1", path }, replicas: 2 }),
    );
    pools.push(pool);
    await expect(pool.ready()).rejects.toThrow(/Git LFS pointer/);
    await eventually(() => expect(pool.status().state).toBe("failed"));
    expect(pool.status().replicas).toMatchObject([
      { state: "failed", restarts: 0, pid: undefined },
      { state: "failed", restarts: 0, pid: undefined },
    ]);
  });

  it("that could not be loaded for want of something that may come is tried again", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spillway-pool-"));
    const path = join(folder, "handler.mjs");
    const wants = `import { existsSync } from "node:fs";
      if (!existsSync(${JSON.stringify(join(folder, "there"))})) throw new Error("connect ECONNREFUSED 127.0.0.1:9");
      const tensor = { name: "x", datatype: "INT32", shape: [-1, 1] };
      export const inputs = [tensor], outputs = [tensor];
      export const predict = (tensors) => tensors;`;
    writeFileSync(path, wants);
    const pool = new ReplicaPool(poolOptions({ model: { name: "waits", version: "1", path } }));
    pools.push(pool);
    await expect(pool.ready()).rejects.toThrow(/ECONNREFUSED/);
    expect(pool.status()).toMatchObject({
      state: "down",
      lastError: expect.stringContaining("ECONNREFUSED"),
    });
    writeFileSync(join(folder, "there"), "");
    await eventually(() => expect(pool.isReady).toBe(true));
  });

  it("whose replicas end again and again is unhealthy: nothing is forked, and callers are told why and when", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "spillway-pool-")), "handler.mjs");
    writeFileSync(path, "process.exit(7);");
    const model = { name: "ends", version: "1", path };
    const pool = new ReplicaPool(poolOptions({ model }));
    pools.push(pool);
    expect(pool.status().state).toBe("loading");
    await eventually(() => expect(pool.status().state).toBe("unhealthy"));
    const refusal: unknown = await pool.run(rowsRequest(1)).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ status: 503, message: /model ends is unhealthy.*exit code 7/ });
    const { retryAfterS } = refusal as UnavailableError;
    expect(retryAfterS).toBeGreaterThan(10);
    expect(retryAfterS).toBeLessThan(40);
    const { replicas, events } = pool.status();
    expect(replicas[0]).toMatchObject({ restarts: 4, pid: undefined });
    expect(events[0]?.text).toMatch(/model unhealthy/);
  });

  it("is ready as long as one of its replicas is up, and says how each stands", async () => {
    const pool = await up({ replicas: 2 });
    const [first, second] = pidsOf(pool);
    const running = occupy(pool, 100);
    expect(pool.status()).toMatchObject({ state: "ready", openRequests: 1, queueRows: 0 });
    expect(pool.status().replicas).toMatchObject([
      { index: 0, state: "up", pid: first, restarts: 0, batch: { rows: 1, requests: 1 } },
      { index: 1, state: "up", pid: second, restarts: 0, batch: undefined },
    ]);
    process.kill(second as number, "SIGKILL");
    await eventually(() => expect(pidsOf(pool)[1]).not.toBe(second));
    expect(pool.isReady).toBe(true);
    await running;
  });

  it("is not ready while no replica is up, and keeps requests until one is", async () => {
    const pool = await up();
    process.kill(pidsOf(pool)[0] as number, "SIGKILL");
    await eventually(() => expect(pool.isReady).toBe(false));
    expect(pool.status().state).toBe("down");
    expect(outputNumbers(await pool.run(rowsRequest(5)), "y")).toEqual([5]);
    expect(pool.isReady).toBe(true);
  });

  it("answers what it accepted before it closes, also when a replica dies meanwhile", async () => {
    const pool = await up();
    const [pid] = pidsOf(pool);
    const accepted = [occupy(pool, 100), pool.run(rowsRequest(1)), pool.run(rowsRequest(2))];
    const closed = pool.close();
    expect(pool.isReady).toBe(false);
    expect(pool.status().state).toBe("stopping");
    await expect(pool.run(rowsRequest(3))).rejects.toMatchObject({ status: 503, message: /shutting down/ });
    process.kill(pid as number, "SIGKILL");
    await expect(Promise.all(accepted)).resolves.toHaveLength(3);
    await closed;
    expect(pool.status().replicas[0]?.pid).toBeUndefined();
  });

  it("closes while its replicas still load", async () => {
    const pool = new ReplicaPool(poolOptions({ replicas: 2 }));
    const pids = pidsOf(pool);
    await pool.close();
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
