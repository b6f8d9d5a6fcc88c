/**
 * What the queue costs over HTTP: requests of 1 KiB and of 150 KB through it to an edge that does nothing, to that edge
 * directly, and to a bare route of Node, in turn in one run, with 1, 64 and 1,024 connections; and how long the queue's event
 * loop is held up at half of its ceiling. All are processes of their own. On a busy machine the processor time of a request
 * says more than requests a second. Usage: front.js [SECONDS of each] [ROUNDS]
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { inColumns } from "../../base/columns.ts";
import { medianOf } from "../../base/quantile.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { wireHeaders } from "../../protocol/v2-http.ts";
import { bareRoute } from "./bare-route.ts";
import { noOpHandler } from "./no-op-handler.ts";
import { type StartedProgram, startProgram } from "./program.ts";

const [seconds = 3, rounds = 3] = process.argv.slice(2).map(Number);
const connections = [1, 64, 1_024];
const sizes = [1_024, 150_000];
const nameOf = (bytes: number): string => `no-op-${bytes}`;
/** So long that a busy machine is no overload, of which this is not about. */
const sloS = 20;

interface Load {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
  /** Answered otherwise than by 200. */
  readonly refused: number;
}

/** @param perS requests a second, whatever becomes of them; undefined: as many as go with those in flight */
async function load(
  { url, pid }: StartedProgram,
  bytes: number,
  inFlight: number,
  perS?: number,
): Promise<Load> {
  const client = new Pool(url, { connections: inFlight, pipelining: 1 });
  const inputs = [tensorFromNumbers("x", "UINT8", [1, bytes], new Uint8Array(bytes))];
  const { body, ...rest } = encodeInferRequest({ parameters: {}, inputs }, { binary: true });
  const headers = wireHeaders(rest);
  const path = `/v2/models/${nameOf(bytes)}/infer`;
  const tooksMs: number[] = [];
  let refused = 0;
  const one = async (): Promise<void> => {
    const startedAtMs = performance.now();
    const answer = await client.request({ method: "POST", path, body, headers });
    await answer.body.dump();
    if (answer.statusCode !== 200) refused++;
    else tooksMs.push(performance.now() - startedAtMs);
  };
  const cpuBeforeMs = cpuMs(pid);
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
  const tookMs = performance.now() - startedAtMs;
  const cpuUs = ((cpuMs(pid) - cpuBeforeMs) * 1_000) / tooksMs.length;
  await client.close();
  const sorted = tooksMs.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
  return { perS: tooksMs.length / (tookMs / 1_000), p50Ms: at(0.5), p99Ms: at(0.99), cpuUs, refused };
}

/** Processor time of a process so far, in milliseconds; NaN where the system does not tell. */
function cpuMs(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

function memoryMib(pid: number | undefined): string {
  try {
    const found = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return `${(Number(found) / 1_024).toFixed(0)} MiB`;
  } catch {
    return "unknown";
  }
}

/** Since it was asked last, in milliseconds. */
async function loopDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = /^spillway_queue_event_loop_delay_seconds\{of="p99"\} (\S+)$/m.exec(text)?.[1];
  return Number(found) * 1_000;
}

function middle(loads: readonly Load[]): Load {
  const of = (pick: (load: Load) => number): number => medianOf(loads.map(pick));
  return {
    perS: of(({ perS }) => perS),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    cpuUs: of(({ cpuUs }) => cpuUs),
    refused: loads.reduce((sum, { refused }) => sum + refused, 0),
  };
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
  const queue = await startProgram(["vqueue", "--port", "0", "--slo", String(sloS), ...targets]);
  started.push(queue);
  const bare = await bareRoute();
  started.push(bare);
  const ways = { "bare route": bare, edge, queue };
  const head = ["", "requests/s", "to a bare route", "CPU of it, µs", "p50 / p99 ms", "refused"];
  for (const bytes of sizes) {
    const rows: string[][] = [[`${bytes} bytes`, ...head.slice(1)]];
    for (const way of Object.values(ways)) await load(way, bytes, 64);
    let ceiling = 0;
    for (const inFlight of connections) {
      const loads = new Map<string, Load[]>();
      for (let round = 0; round < rounds; round++)
        for (const [name, way] of Object.entries(ways))
          loads.set(name, [...(loads.get(name) ?? []), await load(way, bytes, inFlight)]);
      const least = middle(loads.get("bare route") ?? []).perS;
      for (const [name, all] of loads) {
        const { perS, p50Ms, p99Ms, cpuUs, refused } = middle(all);
        if (name === "queue" && inFlight === 64) ceiling = perS;
        rows.push([
          `${name}, ${inFlight} in flight`,
          perS.toFixed(0),
          (perS / least).toFixed(2),
          cpuUs.toFixed(0),
          `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(1)}`,
          String(refused),
        ]);
      }
    }
    await loopDelayMs(queue.url);
    const { perS, p50Ms, p99Ms, cpuUs, refused } = await load(queue, bytes, 1_024, ceiling / 2);
    const heldUpMs = await loopDelayMs(queue.url);
    const times = `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(1)}`;
    rows.push(["queue, at half of 64", perS.toFixed(0), "", cpuUs.toFixed(0), times, String(refused)]);
    console.log(inColumns(rows));
    console.log(`The queue's event loop was held up ${heldUpMs.toFixed(1)} ms at p99 at that half.`);
  }
  console.log(`The queue took ${memoryMib(queue.pid)} at most. Node ${process.versions.node}`);
} finally {
  for (const program of started.toReversed()) await program.stop();
  rmSync(folder, { recursive: true });
}
