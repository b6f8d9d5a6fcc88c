/** Storms over real replicas: kills and stops, callers who leave, poisoned rows, and far more than can be served. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import type { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { wireHeaders } from "../../protocol/v2-http.ts";
import { eventually, executable, isAlive } from "../support/built.ts";
import { outputNumbers, poison, rowsRequest, slowRow, startPool } from "../support/scripted-pool.ts";

/** SPILLWAY_SEED replays a storm. */
const seed = Number(process.env["SPILLWAY_SEED"] ?? Date.now() % 1_000_000);

/** One fault every this long: less often than a crash loop, so that no replica is given up. */
const faultEveryMs = 4_000;

it(`loses no innocent request when replicas are killed and stopped, callers leave and rows are poisoned, seed ${seed}`, async () => {
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const pool = await startPool({ replicas: 2, hangFloorMs: 1_000, maxQueueRows: 4_096 });
  let storming = true;
  const faults = inflictFaults(pool, random, () => storming);
  const ends = { answered: 0, poisoned: 0, cancelled: 0 };
  const requests: Promise<void>[] = [];
  for (let id = 0; id < 20_000; id++) {
    if (id % 20 === 0) await delay(30);
    const isPoisoned = random() < 0.01;
    const caller = new AbortController();
    if (random() < 0.1) setTimeout(() => caller.abort(), random() * 10);
    const values = isPoisoned ? [id, poison.fails] : [id, id + 1];
    requests.push(
      pool.run(rowsRequest(...values), { hungUp: caller.signal }).then(
        (result) => {
          expect(outputNumbers(result, "y")).toEqual(values);
          expect(isPoisoned).toBe(false);
          ends.answered++;
        },
        (error: { status: number; message: string }) => {
          if (error.status === 499 && caller.signal.aborted) ends.cancelled++;
          else {
            expect({ isPoisoned, status: error.status, message: error.message }).toMatchObject({
              isPoisoned: true,
              status: 500,
              message: expect.stringContaining("a row is poisoned"),
            });
            ends.poisoned++;
          }
        },
      ),
    );
  }
  await Promise.all(requests);
  storming = false;
  console.log(JSON.stringify({ ...ends, faults: await faults }));
  expect(ends.answered + ends.poisoned + ends.cancelled).toBe(20_000);
  expect(pool.status()).toMatchObject({ queueRows: 0, queueBytes: 0, openRequests: 0 });
  await pool.close();
});

/** Kills or stops a replica that is up, now and then. Returns how often it did either. */
async function inflictFaults(
  pool: ReplicaPool,
  random: () => number,
  isOn: () => boolean,
): Promise<{ killed: number; stopped: number }> {
  const inflicted = { killed: 0, stopped: 0 };
  let victim = 0;
  while (isOn()) {
    await delay(faultEveryMs);
    const { pid, state } = pool.status().replicas[victim++ % 2] ?? {};
    if (pid === undefined || state !== "up") continue;
    const isKill = random() < 0.5;
    process.kill(pid, isKill ? "SIGKILL" : "SIGSTOP");
    inflicted[isKill ? "killed" : "stopped"]++;
  }
  return inflicted;
}

it("answers what expires at its deadline while every replica is busy, and never runs it", async () => {
  const pool = await startPool();
  const random = seededRandom(seed);
  const busy = pool.run(rowsRequest(slowRow(3_000)));
  const latenessMs = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const deadlineAtMs = performance.now() + 100 + 2_000 * random();
      await expect(pool.run(rowsRequest(1), { deadlineAtMs })).rejects.toMatchObject({ status: 504 });
      return performance.now() - deadlineAtMs;
    }),
  );
  latenessMs.sort((a, b) => a - b);
  const [p50, p99] = [0.5, 0.99].map((share) => latenessMs[Math.floor(share * latenessMs.length)] as number);
  console.log(`answered after the deadline: p50 ${p50?.toFixed(1)} ms, p99 ${p99?.toFixed(1)} ms`);
  expect(latenessMs[0]).toBeGreaterThanOrEqual(0);
  expect(p50).toBeLessThan(10);
  await busy;
  expect(outputNumbers(await pool.run(rowsRequest(1)), "run")).toEqual([2]);
  await pool.close();
});

it("keeps its memory, its queue and its readiness when ten times as much comes as it can take", async () => {
  const flags = ["edge", "--port", "0", "--max-queue-rows", "64", "--log-level", "error"];
  const edge = spawn(process.execPath, [executable, ...flags], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [{ url }] = (await once(edge, "message")) as [{ url: string }];
  const pixels = tensorFromNumbers("x", "FP32", [4, 3, 48, 192], new Float32Array(4 * 3 * 48 * 192));
  const wire = encodeInferRequest({ parameters: {}, inputs: [pixels] }, { binary: true });
  const client = new Pool(url, { connections: 256 });
  const statuses: Record<number, number> = {};
  const untilMs = performance.now() + 20_000;
  let peakMib = 0;
  const ask = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const path = "/v2/models/ocr-cls/infer";
      const answer = await client.request({
        method: "POST",
        path,
        headers: wireHeaders(wire),
        body: wire.body,
      });
      await answer.body.arrayBuffer();
      statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
      if (answer.statusCode === 503) expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      peakMib = Math.max(peakMib, residentMib(edge.pid as number));
    }
  };
  await Promise.all(Array.from({ length: 256 }, ask));
  console.log(JSON.stringify({ statuses, peakMib }));
  expect(Object.keys(statuses)).toEqual(["200", "503"]);
  expect(statuses[503]).toBeGreaterThan(2 * (statuses[200] as number));
  expect(peakMib).toBeLessThan(700);
  expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
  await client.close();
  edge.kill("SIGTERM");
  await once(edge, "exit");
  await eventually(() => expect(isAlive(edge.pid as number)).toBe(false));
});

/** Memory of a process that is in use, in MiB. */
function residentMib(pid: number): number {
  const kib = /VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1_024);
}
