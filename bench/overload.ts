/**
 * Measures what an edge server makes of more requests than it can answer: the part of what it could answer in time that it
 * does, and how soon it is as before. The model's time is the clock's, so the figures are those of the queue and not of the
 * machine. Server, replica and load generator are separate processes. Usage: overload.js [SECONDS of each load [TIMES of the capacity...]]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Pool } from "undici";

const sloMs = 1_500;
const mostRows = 32;
const nominalPerS = mostRows / ((40 + 15 * mostRows) / 1_000);
const [seconds = 12, ...loads] = process.argv.slice(2).map(Number);
const handler = `
  export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }];
  export const outputs = [{ name: "y", datatype: "FP32", shape: [-1, 4] }];
  export async function predict([x]) {
    await new Promise((resolve) => setTimeout(resolve, 40 + 15 * x.shape[0]));
    return [{ ...x, name: "y" }];
  }
`;

interface Sent {
  readonly atMs: number;
  readonly tookMs: number;
  readonly status: number;
}

interface Edge {
  readonly child: ChildProcess;
  readonly client: Pool;
  send(atMs: number): Promise<Sent>;
  /** Sends requests at a constant rate, whatever becomes of them. */
  load(perS: number, forMs: number): Promise<Sent[]>;
}

async function startEdge(folder: string, timeoutMs: number | undefined, ...options: string[]): Promise<Edge> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
  const args = [cli, "edge", "--port", String(port), "--models", folder, ...options];
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  const client = new Pool(`http://127.0.0.1:${port}`, { connections: 256, pipelining: 1 });
  for (let isReady = false; !isReady; await delay(100)) {
    const answer = await client.request({ method: "GET", path: "/v2/health/ready" }).catch(() => undefined);
    await answer?.body.dump();
    isReady = answer?.statusCode === 200;
  }
  const body = JSON.stringify({
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] }],
    ...(timeoutMs !== undefined && { parameters: { timeout: timeoutMs * 1_000 } }),
  });
  const send = async (atMs: number): Promise<Sent> => {
    const path = "/v2/models/timed/infer";
    const answer = await client.request({ method: "POST", path, body }).catch(() => undefined);
    await answer?.body.dump();
    return { atMs, tookMs: performance.now() - atMs, status: answer?.statusCode ?? 0 };
  };
  const load: Edge["load"] = async (perS, forMs) => {
    const all: Promise<Sent>[] = [];
    const startedAtMs = performance.now();
    for (let dueMs = 0; dueMs < forMs; dueMs += 1_000 / perS) {
      const waitMs = startedAtMs + dueMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
      all.push(send(startedAtMs + dueMs));
    }
    return Promise.all(all);
  };
  return { child, client, send, load };
}

async function stop({ child, client }: Edge): Promise<void> {
  child.kill("SIGTERM");
  await once(child, "exit");
  await client.destroy();
}

/** Processor time of a process in milliseconds; NaN where the system does not tell (only Linux does). */
function cpuMs({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return NaN;
  }
}

const isInTime = ({ status, tookMs }: Sent): boolean => status === 200 && tookMs <= sloMs;

/**
 * Of the answers that were possible from one SLO after the first request until the load ended, the part that came and
 * was in time. The first SLO is left out, in which the queue fills.
 */
function goodput(sent: readonly Sent[], perS: number): number {
  const fromMs = (sent[0]?.atMs ?? 0) + sloMs;
  const forMs = seconds * 1_000 - sloMs;
  const endedAtMs = sent.filter(isInTime).map(({ atMs, tookMs }) => atMs + tookMs);
  const ended = endedAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + forMs).length;
  return ended / ((Math.min(perS, capacityPerS) * forMs) / 1_000);
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

const folder = mkdtempSync(join(tmpdir(), "overload-"));
mkdirSync(join(folder, "timed"));
writeFileSync(join(folder, "timed", "handler.js"), handler);
writeFileSync(join(folder, "timed", "config.yaml"), "joinRows: true\n");

/** Requests a second when there are always more than enough of them, on this machine as it is now. */
async function measuredCapacity(): Promise<number> {
  const edge = await startEdge(folder, undefined);
  let answered = 0;
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + 6_000;
  const one = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      await edge.send(performance.now());
      answered++;
    }
  };
  await Promise.all(Array.from({ length: 3 * mostRows }, one));
  const perS = answered / ((performance.now() - startedAtMs) / 1_000);
  await stop(edge);
  return perS;
}

const capacityPerS = await measuredCapacity();
console.log(
  `a model of 40 ms and 15 ms a row, ${mostRows} rows at most: ${nominalPerS.toFixed(1)} requests/s by its times,` +
    ` ${capacityPerS.toFixed(1)} measured without deadlines; deadlines of ${sloMs} ms in the requests;` +
    ` ${seconds} s each; Node ${process.versions.node}`,
);
for (const times of loads.length > 0 ? loads : [0.8, 1.3, 2, 5, 10]) {
  const edge = await startEdge(folder, sloMs);
  await edge.load(0.6 * nominalPerS, 2_000);
  const cpuBeforeMs = cpuMs(edge.child);
  const loading = edge.load(times * nominalPerS, seconds * 1_000);
  const after = delay(seconds * 1_000).then(() => edge.load(0.6 * nominalPerS, 4 * sloMs));
  const sent = await loading;
  const usedMs = cpuMs(edge.child) - cpuBeforeMs;
  const afterwards = await after;
  await stop(edge);
  const dropped = sent.filter(({ status }) => status === 503);
  const late = sent.filter((each) => each.status !== 503 && !isInTime(each));
  const firstMs = afterwards[0]?.atMs ?? 0;
  const recovered = afterwards.filter(({ atMs }) => atMs >= firstMs + sloMs);
  console.log(
    `${times} times as many: ${percent(goodput(sent, times * nominalPerS))} of what is possible in time,` +
      ` ${late.length} late, ${dropped.length} refused with 503 after` +
      ` ${(dropped.reduce((sum, { tookMs }) => sum + tookMs, 0) / Math.max(1, dropped.length)).toFixed(0)} ms on average;` +
      ` server ${percent(usedMs / (seconds * 1_000))} of a core;` +
      ` ${percent(recovered.filter(isInTime).length / recovered.length)} in time from one SLO after it on`,
  );
}

const edge = await startEdge(folder, undefined, "--max-queue-ms", "500");
await edge.load(0.6 * nominalPerS, 2_000);
const cpuBeforeMs = cpuMs(edge.child);
const sent = await edge.load(10 * nominalPerS, seconds * 1_000);
const usedMs = cpuMs(edge.child) - cpuBeforeMs;
await stop(edge);
console.log(
  `10 times as many without deadlines, --max-queue-ms 500: ${percent(goodput(sent, 10 * nominalPerS))} of what is` +
    ` possible within ${sloMs} ms, server ${percent(usedMs / (seconds * 1_000))} of a core`,
);
rmSync(folder, { recursive: true });
