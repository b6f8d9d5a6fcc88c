/**
 * The mixed load of a queue that serves people and archives at once: many callers of small requests beside a few of large
 * ones, each asking again once it is answered, with lanes and without. The model's time is the clock's, so the figures are
 * those of the queue and not of the machine. Edge and queue are processes of their own. Rows are counted when the edge has
 * answered them, also those of requests that end after their cell.
 * Usage: lanes.js [SECONDS of each cell]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { inColumns } from "../../base/columns.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { wireHeaders } from "../../protocol/v2-http.ts";
import { type StartedProgram, startProgram } from "../front/program.ts";

const [seconds = 8] = process.argv.slice(2).map(Number);
const mostRows = 32;
const batchMs = (rows: number): number => 20 + rows;
const smallRows = 8;
const handler = `
  export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }];
  export const outputs = [{ name: "y", datatype: "FP32", shape: [-1, 4] }];
  export async function predict([x]) {
    await new Promise((resolve) => setTimeout(resolve, 20 + x.shape[0]));
    return [{ ...x, name: "y" }];
  }
`;

interface Callers {
  readonly count: number;
  readonly rows: number;
}

/** Of one kind of callers, in one cell. */
interface Figures {
  readonly rowsPerS: number;
  /** Requests that were answered within the cell. */
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Cell {
  readonly small?: Callers;
  readonly large?: Callers;
}

const small = (count: number): Callers => ({ count, rows: smallRows });
const largeOf = (rows: number): Callers => ({ count: 4, rows });
const cells: readonly Cell[] = [
  ...[8, 16, 24, 32, 48, 64, 128].map((count) => ({ small: small(count) })),
  ...[1_000, 128].flatMap((rows) => [
    { large: largeOf(rows) },
    ...[8, 24, 48].map((count) => ({ small: small(count), large: largeOf(rows) })),
  ]),
];

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

/** One caller: asks again as soon as it is answered, until the time is over. */
async function call(
  client: Pool,
  lane: string,
  rows: number,
  untilMs: number,
  took: number[],
): Promise<void> {
  const values = new Float32Array(rows * 4);
  const inputs = [tensorFromNumbers("x", "FP32", [rows, 4], values)];
  const wire = encodeInferRequest({ parameters: {}, inputs }, { binary: true });
  const headers = { ...wireHeaders(wire), ...(lane !== "" && { "spillway-lane": lane }) };
  while (performance.now() < untilMs) {
    const startedAtMs = performance.now();
    const answer = await client.request({
      method: "POST",
      path: "/v2/models/timed/infer",
      body: wire.body,
      headers,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${text.slice(0, 200)}`);
    if (performance.now() < untilMs) took.push(performance.now() - startedAtMs);
  }
}

/** Rows that the edge has answered since it started. */
async function rowsOfEdge(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.matchAll(/^nv_inference_count\{[^}]*model="timed"[^}]*\} (\S+)$/gm);
  return Array.from(found, ([, rows]) => Number(rows)).reduce((sum, rows) => sum + rows, 0);
}

async function run(url: string, edgeUrl: string, { small, large }: Cell, hasLanes: boolean) {
  const client = new Pool(url, { connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const warmUpMs = 1_000;
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + warmUpMs + seconds * 1_000;
  const load = async (callers: Callers | undefined, lane: string): Promise<Figures | undefined> => {
    if (callers === undefined) return undefined;
    const took: number[] = [];
    const calls = Array.from({ length: callers.count }, () =>
      call(client, hasLanes ? lane : "", callers.rows, untilMs, took),
    );
    await Promise.all(calls);
    const sorted = took.toSorted((a, b) => a - b);
    const spanS = (untilMs - startedAtMs) / 1_000;
    return {
      rowsPerS: (took.length * callers.rows) / spanS,
      requests: took.length,
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
    };
  };
  // The large ones are there first.
  const ofLarge = load(large, "bulk");
  if (large !== undefined) await delay(200);
  const ofSmall = load(small, "realtime");
  const rowsBefore = await rowsOfEdge(edgeUrl);
  const countedAtMs = performance.now();
  await delay(untilMs - countedAtMs);
  const rows = (await rowsOfEdge(edgeUrl)) - rowsBefore;
  const allPerS = (rows * 1_000) / (performance.now() - countedAtMs);
  const [people, archive] = [await ofSmall, await ofLarge];
  await client.close();
  // A request of many rows may take longer than the cell: what the edge answered beside the small ones is its part.
  const left = Math.max(0, allPerS - (people?.rowsPerS ?? 0));
  return { small: people, large: archive && { ...archive, rowsPerS: left } };
}

const number = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? "-" : value.toFixed(0);
const ratio = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "-");

const folder = mkdtempSync(join(tmpdir(), "spillway-lanes-"));
mkdirSync(join(folder, "timed"));
writeFileSync(join(folder, "timed", "handler.js"), handler);
writeFileSync(join(folder, "timed", "config.yaml"), `joinRows: true\nmaxBatchRows: ${mostRows}\n`);
let edge: StartedProgram | undefined;
try {
  edge = await startProgram(["edge", "--port", "0", "--models", folder]);
  for (const hasLanes of [true, false]) {
    const lanes = hasLanes ? ["--lanes", "realtime=5,bulk=600"] : [];
    const targets = ["--edge", edge.url, "--no-serverless", "--calibrate", "4", "--max-rows", "20000"];
    const queue = await startProgram(["vqueue", "--port", "0", "--slo", "600", ...targets, ...lanes]);
    console.log(hasLanes ? "with lanes" : "\nwithout lanes");
    const alone = new Map<number, Figures>();
    const bulkAlone = new Map<number, number>();
    const rows: string[][] = [];
    for (const cell of cells) {
      const { small, large } = await run(queue.url, edge.url, cell, hasLanes);
      if (cell.large === undefined && cell.small && small) alone.set(cell.small.count, small);
      if (cell.small === undefined && cell.large && large) bulkAlone.set(cell.large.rows, large.rowsPerS);
      const own = cell.small && cell.large ? alone.get(cell.small.count) : undefined;
      // One batch in service may be before a request.
      const bound = own && 1.5 * own.p99Ms + batchMs(mostRows);
      const most = cell.large && bulkAlone.get(cell.large.rows);
      const free = most && small ? most - small.rowsPerS : undefined;
      rows.push([
        cell.small ? `${cell.small.count} x ${cell.small.rows}` : "-",
        cell.large ? `${cell.large.count} x ${cell.large.rows}` : "-",
        number(small?.rowsPerS),
        `${number(small?.p50Ms)} / ${number(small?.p99Ms)}`,
        bound && small ? ratio(small.p99Ms / bound) : "-",
        number(large?.rowsPerS),
        large === undefined ? "-" : String(large.requests),
        free && large ? ratio(large.rowsPerS / free) : "-",
      ]);
    }
    const head = [
      "small callers",
      "large callers",
      "rows/s small",
      "p50 / p99 ms small",
      "p99 to 1.5 x alone + a batch",
      "rows/s large",
      "whole requests",
      "to what is left",
    ];
    console.log(inColumns([head, ...rows]));
    await queue.stop();
  }
} finally {
  await edge?.stop();
  rmSync(folder, { recursive: true });
}
