import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { PriceSheet } from "../algorithms/price.ts";
import type { Policy } from "../client/policy.ts";
import { type PolicyName, policies, policyNames } from "../client/policies/registry.ts";
import { createLogFile, textFile } from "./files.ts";
import { exponential, randomStream } from "./random-stream.ts";
import { type ReplayOptions, replayTrace } from "./run.ts";
import { parseScenario } from "./scenario.ts";
import type { ReplaySummary } from "./summary.ts";
import type { TextFile } from "./text-lines.ts";

const sheet: PriceSheet = {
  kind: "gb-second",
  name: "test",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 1,
  perCall: 0.5,
  granularityMs: { cpu: 1 },
};

/** Uploads of 1 ms, half a millisecond each way, the edge in 10 ms whatever it is sent, functions in 50 ms. */
function tinyWorld(change: object = {}) {
  const link = { rttMs: 1, uplinkMbps: 8 };
  const size = { name: "f", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [50], "4": [50] } };
  const scenario = {
    name: "tiny",
    sloMs: 100,
    sloQuantile: 0.99,
    requestBytes: 1_000,
    edge: { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10], "8": [10] } },
    serverless: { link, maxInstances: 5, idleMs: 1_000, coldStartMs: [30], prices: "test", sizes: [size] },
    ...change,
  };
  return parseScenario(JSON.stringify(scenario), "tiny.json");
}

function traceOf(momentsS: readonly number[]): TextFile {
  return {
    name: "made.csv",
    async *open() {
      yield new TextEncoder().encode(`t\n${momentsS.map((atS) => `${atS}\n`).join("")}`);
    },
  };
}

/** Arrivals in bursts: 5 a second, and 100 a second in every fourth second. */
function burstyTrace(seconds: number): TextFile {
  const random = randomStream(1, "bursts");
  const momentsS: number[] = [];
  for (let atS = 0; atS < seconds;) {
    atS += exponential(random) / (Math.floor(atS) % 4 === 3 ? 100 : 5);
    momentsS.push(atS);
  }
  return traceOf(momentsS);
}

type Line = Record<string, unknown> & { kind: string; atMs?: number; formedAtMs?: number };

async function replay(options: Partial<ReplayOptions> & Pick<ReplayOptions, "trace" | "policy">) {
  let text = "";
  const log = {
    write: (line: string) => {
      text += line;
    },
    flush: async () => {},
  };
  const defaults = { scenario: tinyWorld(), sheet, seed: 1, fromS: 0, toS: Infinity, scale: 1 };
  const summary = await replayTrace({ ...defaults, log, ...options });
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  return { summary, text, lines };
}

/** Sends whatever waits at once, alone, to the target with that index. */
function toTarget(target: number): () => Policy {
  const decision = { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full" } as const;
  return () => ({ name: "at-once", decide: () => decision });
}

describe("a replay", () => {
  it("logs what happened, in order, with every figure", async () => {
    const { lines, summary } = await replay({ trace: traceOf([0.001, 0.002]), policy: toTarget(0) });
    const batch = { kind: "batch", target: "edge", replica: 0, serviceMs: 10 };
    expect(lines).toEqual([
      {
        kind: "header",
        format: "spillway-log/1",
        trace: "made.csv",
        scenario: "tiny",
        policy: "at-once",
        seed: 1,
        sloMs: 100,
      },
      { kind: "arrival", id: 0, atMs: 1 },
      {
        ...batch,
        id: 0,
        requests: [0],
        formedAtMs: 1,
        uploadStartMs: 1,
        uploadEndMs: 2,
        startMs: 2.5,
        endMs: 12.5,
        answeredAtMs: 13,
      },
      { kind: "arrival", id: 1, atMs: 2 },
      {
        ...batch,
        id: 1,
        requests: [1],
        formedAtMs: 2,
        uploadStartMs: 2,
        uploadEndMs: 3,
        startMs: 12.5,
        endMs: 22.5,
        answeredAtMs: 23,
      },
      { kind: "summary", requests: 2, served: 2, inSlo: 2, cost: 0, currency: "USD" },
    ]);
    expect(summary).toMatchObject({
      inSloShare: 1,
      latencyMs: { max: 21 },
      targets: {
        edge: { served: 2, share: 1, batches: 2, meanBatchRows: 1 },
        f: { served: 0, meanBatchRows: null },
      },
    });
  });

  it("prices calls, and counts an answer after the SLO as served but not in SLO", async () => {
    const { lines, summary } = await replay({
      trace: traceOf([0, 1]),
      policy: toTarget(1),
      scenario: tinyWorld({ sloMs: 60 }),
    });
    const call = { target: "serverless", size: "f", instance: 0, billedMs: 50, cost: 0.55 };
    expect(lines.filter(({ kind }) => kind === "batch")).toMatchObject([
      { ...call, coldStartMs: 30, answeredAtMs: 82 },
      { ...call, coldStartMs: 0, answeredAtMs: 1_052 },
    ]);
    expect(summary).toMatchObject({ served: 2, inSlo: 1, late: 1, cost: 1.1, costPer1000: 550 });
  });

  it("sends the requests of a failed batch again, and ends those that nobody served", async () => {
    const faults = [{ kind: "edge-down", fromMs: 5, toMs: 10_000 }];
    const { lines, summary } = await replay({
      trace: traceOf([0]),
      policy: () => ({
        name: "patient",
        decide: ({ nowMs, targets }) => {
          const resumeAtMs = targets[0]?.suspendedUntilMs ?? 0;
          if (resumeAtMs > nowMs) return { kind: "wait", untilMs: resumeAtMs };
          return { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" };
        },
      }),
      scenario: tinyWorld({ faults, sloMs: 110 }),
    });
    expect(lines.slice(2, -1)).toMatchObject([
      { kind: "batch", id: 0, requests: [0], formedAtMs: 0 },
      { kind: "failed", batch: 0, atMs: 5.5, cause: "edge-down" },
      { kind: "batch", id: 1, requests: [0], formedAtMs: 105.5 },
      { kind: "failed", batch: 1, atMs: 107.5, cause: "edge-down" },
      { kind: "end", id: 0, outcome: "refused", reason: "late", atMs: 110 },
    ]);
    expect(lines[2]).not.toHaveProperty("startMs");
    expect(summary).toMatchObject({ served: 0, inSlo: 0, refused: 1 });
  });

  it("lets news come before an arrival of its moment, and the timer after", async () => {
    const order: string[] = [];
    await replay({
      trace: traceOf([0, 0.012]),
      policy: () => ({
        name: "observer",
        arrived: (_key, _rows, nowMs) => order.push(`arrival ${nowMs}`),
        ended: ({ endedAtMs }) => order.push(`news ${endedAtMs}`),
        decide: ({ nowMs, batchesFormed, line }) => {
          if (batchesFormed === 0)
            return { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" };
          order.push(`${line.length} at ${nowMs}`);
          return { kind: "wait", untilMs: Infinity };
        },
      }),
    });
    expect(order).toEqual(["arrival 0", "news 12", "arrival 12", "1 at 12"]);
  });

  it("of nothing has no shares", async () => {
    const { summary } = await replay({ trace: traceOf([5]), policy: policies.fixed, toS: 1 });
    expect(summary).toMatchObject({
      requests: 0,
      inSloShare: null,
      costPer1000: null,
      latencyMs: { p50: null },
    });
  });

  it("refuses a request that has more rows than some target takes", async () => {
    const trace: TextFile = {
      name: "rows.csv",
      async *open() {
        yield new TextEncoder().encode("t,rows\n0,5\n");
      },
    };
    await expect(replay({ trace, policy: policies.fixed })).rejects.toThrow(
      /^rows\.csv: a request has 5 rows/,
    );
  });
});

describe.each(policyNames)("the policy %s in replay", (name) => {
  const trace = burstyTrace(120);
  const policy = policies[name];
  const faults = [
    { kind: "edge-down", fromMs: 30_000, toMs: 32_000 },
    { kind: "throttle", fromMs: 50_000, toMs: 51_000 },
    { kind: "link-slow", target: "edge", fromMs: 70_000, toMs: 72_000, factor: 5 },
  ];
  const scenario = tinyWorld({ faults });

  it("gives the same log twice, and another for another seed", async () => {
    const one = await replay({ trace, policy, scenario, scale: 1.5 });
    const two = await replay({ trace, policy, scenario, scale: 1.5 });
    const other = await replay({ trace, policy, scenario, scale: 1.5, seed: 2 });
    expect(one.text).toBe(two.text);
    expect(one.text).not.toBe(other.text);
  });

  it("decides the same when the trace ends earlier: it does not look ahead", async () => {
    const untilMs = 60_000;
    const before = (lines: readonly Line[]): Line[] =>
      lines.filter(
        ({ kind, atMs, formedAtMs }) => kind !== "header" && ((atMs ?? formedAtMs) as number) < untilMs,
      );
    const whole = await replay({ trace, policy, scenario, scale: 1.5 });
    const part = await replay({ trace, policy, scenario, scale: 1.5, toS: untilMs / 1_000 });
    expect(before(part.lines)).toEqual(before(whole.lines));
    expect(before(part.lines).length).toBeGreaterThan(1_000);
  });

  it("ends every request exactly once", async () => {
    const { lines, summary } = await replay({ trace, policy, scenario });
    const { requests, served, refused, failed } = summary;
    expect(lines.filter(({ kind }) => kind === "arrival")).toHaveLength(requests);
    expect(served + refused + failed).toBe(requests);
  });
});

const shared = fileURLToPath(new URL("../../shared/", import.meta.url));
interface Pairing {
  readonly name: string;
  readonly trace: string;
  readonly scenario: string;
  readonly scale: number;
  readonly fromS: number;
}

describe.skipIf(!existsSync(shared))("the referee (skipped where ../shared is absent)", () => {
  const scratch = mkdtempSync(join(tmpdir(), "spillway-referee-"));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const pairings = existsSync(shared)
    ? (JSON.parse(readFileSync(join(shared, "data/pairings.json"), "utf8")) as Pairing[])
    : [];
  const cases = ["mm-image-faults", "conv-critical"].flatMap((pairing) =>
    policyNames.map((name) => [name, pairing] as const),
  );

  it.each(cases)("finds nothing against %s on a cut of %s", async (name: PolicyName, pairing) => {
    const { trace, scenario, scale, fromS } = pairings.find((each) => each.name === pairing) as Pairing;
    const paths = { trace: join(shared, "data", trace), scenario: join(shared, "data", scenario) };
    const toS = fromS + 300;
    const world = parseScenario(readFileSync(paths.scenario, "utf8"), paths.scenario);
    const prices = new URL(`../serverless/prices/${world.serverless.prices}.json`, import.meta.url);
    const path = join(scratch, `${pairing}-${name}.ndjson.gz`);
    const log = createLogFile(path);
    const summary: ReplaySummary = await replayTrace({
      trace: textFile(paths.trace),
      scenario: world,
      sheet: JSON.parse(readFileSync(prices, "utf8")) as PriceSheet,
      policy: policies[name],
      seed: 3,
      fromS,
      toS,
      scale,
      log,
    });
    await log.close();
    expect(gunzipSync(readFileSync(path)).length).toBeGreaterThan(100_000);
    const cut = ["--from", fromS, "--to", toS, "--scale", scale].map(String);
    const files = ["--trace", paths.trace, "--scenario", paths.scenario];
    const checker = [join(shared, "referee/check.mjs"), path, ...files, ...cut];
    const verdict = JSON.parse(
      execFileSync(process.execPath, checker, { encoding: "utf8" }),
    ) as ReplaySummary;
    expect(verdict).toMatchObject({ ok: true, inSlo: summary.inSlo, requests: summary.requests });
  });
});
