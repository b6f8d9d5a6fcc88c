import { describe, expect, it } from "vitest";
import type { Policy } from "../client/policies/policy.ts";
import { readyAtMs, type TargetView } from "../client/targets/target-view.ts";
import { replayPolicies } from "./peers/registry.ts";
import { replay, traceOf } from "../test/support/replayed.ts";
import { tinyWorld } from "../test/support/tiny-world.ts";
import type { TextFile } from "../base/text-lines.ts";

/** Sends whatever waits at once, alone, to the target with that index. */
function toTarget(target: number): () => Policy {
  const decision = { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full" } as const;
  return () => ({ name: "at-once", decide: () => decision });
}

function csv(text: string): TextFile {
  return {
    name: "made.csv",
    async *open() {
      yield new TextEncoder().encode(text);
    },
  };
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
          const resumeAtMs = readyAtMs((targets[0] as TargetView).health(nowMs));
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
    let hasSent = false;
    await replay({
      trace: traceOf([0, 0.012]),
      policy: () => ({
        name: "observer",
        arrived: (_key, _rows, nowMs) => order.push(`arrival ${nowMs}`),
        sent: () => (hasSent = true),
        ended: ({ endedAtMs }) => order.push(`news ${endedAtMs}`),
        decide: ({ nowMs, line }) => {
          if (!hasSent) return { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" };
          order.push(`${line.length} at ${nowMs}`);
          return { kind: "wait", untilMs: Infinity };
        },
      }),
    });
    expect(order).toEqual(["arrival 0", "news 12", "arrival 12", "1 at 12"]);
  });

  it("of nothing has no shares", async () => {
    const { summary } = await replay({ trace: traceOf([5]), policy: replayPolicies.fixed, toS: 1 });
    expect(summary).toMatchObject({
      requests: 0,
      inSloShare: null,
      costPer1000: null,
      latencyMs: { p50: null },
    });
  });

  it("splits requests of many rows, logs their parts, and judges each lane by its own SLO", async () => {
    const lanes = { quick: { sloMs: 40 }, bulk: { sloMs: 5_000, sloQuantile: 0.9 } };
    const scenario = tinyWorld({ lanes });
    const trace = csv("t,rows,lane\n0,10,bulk\n0.001,,quick\n0.05,,quick\n");
    const { lines, summary } = await replay({ trace, scenario, policy: replayPolicies["edge-only"] });
    expect(lines.filter(({ kind }) => kind === "arrival")).toEqual([
      { kind: "arrival", id: 0, atMs: 0, rows: 10, lane: "bulk" },
      { kind: "arrival", id: 1, atMs: 1, lane: "quick" },
      { kind: "arrival", id: 2, atMs: 50, lane: "quick" },
    ]);
    const parts = lines.flatMap((line) =>
      line.kind === "batch" ? ((line["parts"] ?? []) as number[][]) : [],
    );
    const bulk = parts.filter(([id]) => id === 0).toSorted((a, b) => (a[1] as number) - (b[1] as number));
    expect(bulk[0]?.[1]).toBe(0);
    expect(bulk.at(-1)?.[2]).toBe(10);
    for (const [index, part] of bulk.slice(1).entries()) expect(part[1]).toBe(bulk[index]?.[2]);
    expect(summary).toMatchObject({
      requests: 3,
      served: 3,
      lanes: { bulk: { requests: 1, inSlo: 1 }, quick: { requests: 2, share: 1 } },
      targets: { edge: { served: 3, share: 1 } },
    });
    expect(lines.at(-1)).toMatchObject({ lanes: summary.lanes });
  });

  it("refuses a lane that the scenario does not have", async () => {
    const trace = csv("t,lane\n0.5,bulk\n");
    await expect(replay({ trace, policy: replayPolicies.fixed })).rejects.toThrow(
      'made.csv: the request at 0.5 s has the lane "bulk"; the scenario has no lanes',
    );
    const scenario = tinyWorld({ lanes: { quick: { sloMs: 40 } } });
    await expect(replay({ trace, scenario, policy: replayPolicies.fixed })).rejects.toThrow(
      "allowed: quick, or empty",
    );
  });
});
