/**
 * What the queue costs over HTTP: requests of 1 KiB and of 150 KB through it to an edge that does nothing, to that edge
 * directly, and to a bare route, one after another in one run; and how long the queue's event loop is held up at half of
 * its ceiling. All are processes of their own. Usage: front.js [SECONDS of each]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { inColumns } from "../../base/columns.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { wireHeaders } from "../../protocol/v2-http.ts";
import { bareRoute } from "./bare-route.ts";
import { noOpHandler } from "./no-op-handler.ts";
import { type StartedProgram, startProgram } from "./program.ts";

const [seconds = 5] = process.argv.slice(2).map(Number);
const inFlight = 64;
const sizes = [1_024, 150_000];
const nameOf = (bytes: number): string => `no-op-${bytes}`;

interface Load {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param perS requests a second, whatever becomes of them; undefined: as many as go with those in flight */
async function load(url: string, bytes: number, perS?: number): Promise<Load> {
  const client = new Pool(url, { connections: inFlight, pipelining: 1 });
  const inputs = [tensorFromNumbers("x", "UINT8", [1, bytes], new Uint8Array(bytes))];
  const wire = encodeInferRequest({ parameters: {}, inputs }, { binary: true });
  const tooksMs: number[] = [];
  const one = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const path = `/v2/models/${nameOf(bytes)}/infer`;
    const answer = await client.request({
      method: "POST",
      path,
      body: wire.body,
      headers: wireHeaders(wire),
    });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}`);
    tooksMs.push(performance.now() - startedAtMs);
  };
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + seconds * 1_000;
  if (perS === undefined) {
    const caller = async (): Promise<void> => {
      while (performance.now() < untilMs) await one();
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
  } else {
    const all: Promise<void>[] = [];
    for (let sent = 0; performance.now() < untilMs; sent++) {
      const waitMs = startedAtMs + (sent * 1_000) / perS - performance.now();
      if (waitMs > 1) await delay(waitMs);
      all.push(one());
    }
    await Promise.all(all);
  }
  await client.close();
  const sorted = tooksMs.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
  return {
    perS: tooksMs.length / ((performance.now() - startedAtMs) / 1_000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

/** Since it was asked last, in milliseconds. */
async function loopDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = /^spillway_queue_event_loop_delay_seconds\{of="p99"\} (\S+)$/m.exec(text)?.[1];
  return Number(found) * 1_000;
}

const folder = mkdtempSync(join(tmpdir(), "spillway-front-"));
for (const bytes of sizes) {
  const model = join(folder, nameOf(bytes));
  mkdirSync(model);
  writeFileSync(join(model, "handler.js"), noOpHandler(bytes));
  writeFileSync(join(model, "config.yaml"), "joinRows: true\n");
}
const started: StartedProgram[] = [];
try {
  const edge = await startProgram(["edge", "--port", "0", "--models", folder]);
  started.push(edge);
  const targets = ["--edge", edge.url, "--no-serverless", "--calibrate", "3"];
  const queue = await startProgram(["vqueue", "--port", "0", "--slo", "2", ...targets]);
  started.push(queue);
  const bare = await bareRoute();
  started.push(bare);
  const rows: string[][] = [["", "requests/s", "to a bare route", "p50 / p99 ms"]];
  for (const bytes of sizes) {
    const ways = { "bare route": bare.url, edge: edge.url, queue: queue.url };
    const loads = new Map<string, Load>();
    for (const [name, url] of Object.entries(ways)) {
      await load(url, bytes);
      loads.set(name, await load(url, bytes));
    }
    const least = loads.get("bare route")?.perS ?? Number.NaN;
    for (const [name, { perS, p50Ms, p99Ms }] of loads)
      rows.push([
        `${name}, ${bytes} bytes`,
        perS.toFixed(0),
        (perS / least).toFixed(2),
        `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`,
      ]);
    const half = (loads.get("queue")?.perS ?? 0) / 2;
    await loopDelayMs(queue.url);
    const { p50Ms, p99Ms } = await load(queue.url, bytes, half);
    const heldUpMs = await loopDelayMs(queue.url);
    rows.push([
      `queue at half of that, ${bytes} bytes`,
      half.toFixed(0),
      "",
      `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}; event loop held up ${heldUpMs.toFixed(1)} ms at p99`,
    ]);
  }
  console.log(`${inFlight} requests in flight, Node ${process.versions.node}`);
  console.log(inColumns(rows));
} finally {
  for (const program of started.toReversed()) await program.stop();
  rmSync(folder, { recursive: true });
}
