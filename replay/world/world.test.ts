import { describe, expect, it } from "vitest";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { BatchResult } from "../../client/targets/target.ts";
import { tinySheet, tinyWorld } from "../../test/support/tiny-world.ts";
import type { BatchSent, TraceRequest } from "./batch-sent.ts";
import type { Fault } from "./scenario.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { worldTargets } from "./world.ts";

interface WorldFacts {
  readonly replicas?: number;
  readonly maxInstances?: number;
  readonly sheet?: PriceSheet;
  readonly faults?: readonly Fault[];
  /** A second edge that is like the first, and serves in half the time. */
  readonly hasTwin?: boolean;
}

/**
 * A row takes 10 ms of the edge's uplink and 20 ms of the functions'; both are 4 ms away. The edge serves in
 * 100 ms, functions "small" and "large" in 200 and 50 ms, with cold starts of 1000 ms and 500 ms of idling.
 */
function testWorld({
  replicas = 1,
  maxInstances = 2,
  faults = [],
  hasTwin = false,
  ...rest
}: WorldFacts = {}) {
  const edge = { replicas, maxBatch: 4, link: { rttMs: 8, uplinkMbps: 1 }, serviceMs: { "4": [100] } };
  const twin = { ...edge, name: "twin", serviceMs: { "4": [50] } };
  const scenario = tinyWorld({
    sloMs: 1_000,
    requestBytes: 1_250,
    ...(hasTwin ? { edge: undefined, edges: [{ ...edge, name: "edge" }, twin] } : { edge }),
    serverless: {
      link: { rttMs: 8, uplinkMbps: 0.5 },
      maxInstances,
      idleMs: 500,
      coldStartMs: [1_000],
      prices: "test",
      sizes: [
        { name: "small", memoryMib: 1_024, maxBatch: 4, serviceMs: { "4": [200] } },
        { name: "large", memoryMib: 2_048, maxBatch: 4, serviceMs: { "4": [50] } },
      ],
    },
    faults,
  });
  const clock = new VirtualClock();
  const sent: BatchSent[] = [];
  const results: { batch: number; atMs: number; result: BatchResult<TraceRequest> }[] = [];
  const targets = worldTargets({
    scenario,
    sheet: rest.sheet ?? tinySheet,
    seed: 1,
    clock,
    onBatch: (batch) => sent.push(batch),
  });
  const send = (name: "edge" | "twin" | "small" | "large", rows: number, atMs = clock.nowMs()): void => {
    clock.advanceTo(atMs);
    const batch = sent.length;
    const parts = Array.from({ length: rows }, (_, id) => {
      return { payload: { id, arrivedAtMs: atMs, rows: 1, lane: "" }, fromRow: 0, toRow: 1 };
    });
    const target = targets.find((each) => each.name === name);
    target?.send({ id: batch, key: "", parts, rows, deadlineAtMs: Infinity }, (result) => {
      results.push({ batch, atMs: clock.nowMs(), result });
    });
  };
  const times = () =>
    sent.map(({ upload, end }) => {
      const { uploadStartMs, uploadEndMs } = upload;
      return [uploadStartMs, uploadEndMs, end.ok ? end.startMs : end.cause, end.seenAtMs];
    });
  return { clock, send, sent, results, times };
}

describe("links", () => {
  it("upload one batch after another, those of one moment in the order they were formed", () => {
    const { send, times } = testWorld({ replicas: 2 });
    send("edge", 2);
    send("edge", 1);
    send("edge", 1, 500);
    expect(times()).toEqual([
      [0, 20, 24, 128],
      [20, 30, 34, 138],
      [500, 510, 514, 618],
    ]);
  });

  it("are one for the edge and one for all functions", () => {
    const { send, times } = testWorld({ maxInstances: 9 });
    send("edge", 1);
    send("small", 1);
    send("large", 1);
    expect(times().map(([start, end]) => [start, end])).toEqual([
      [0, 10],
      [0, 20],
      [20, 40],
    ]);
  });

  it("are slow for uploads that start while the fault is in force, as often as faults overlap", () => {
    const { send, times } = testWorld({
      faults: [
        { kind: "link-slow", target: "edge", fromMs: 5, toMs: 100, factor: 2 },
        { kind: "link-slow", target: "edge", fromMs: 20, toMs: 100, factor: 3 },
        { kind: "link-slow", target: "serverless", fromMs: 0, toMs: 100, factor: 9 },
      ],
    });
    send("edge", 1);
    send("edge", 1);
    send("edge", 1);
    send("edge", 1, 100);
    expect(times().map(([start, end]) => [start, end])).toEqual([
      [0, 10],
      [10, 30],
      [30, 90],
      [100, 110],
    ]);
  });
});

describe("the edge", () => {
  it("serves one batch at a time on each replica, on the one that is free soonest", () => {
    const { send, sent, times } = testWorld({ replicas: 2 });
    for (let batch = 0; batch < 4; batch++) send("edge", 1);
    expect(times().map(([, , start]) => start)).toEqual([14, 24, 114, 124]);
    expect(sent.map(({ place }) => place)).toMatchObject([0, 1, 0, 1].map((replica) => ({ replica })));
  });

  it("answers half a round trip after the end, and says how long it ran and waited", () => {
    const { clock, send, results } = testWorld();
    send("edge", 1);
    send("edge", 1);
    clock.runAll();
    expect(results).toMatchObject([
      {
        batch: 0,
        atMs: 118,
        result: { ok: true, serviceMs: 100, serverQueuedMs: 0, coldStartMs: 0, cost: 0 },
      },
      { batch: 1, atMs: 218, result: { ok: true, serviceMs: 100, serverQueuedMs: 90 } },
    ]);
  });

  it("is slow for services that start while the fault is in force", () => {
    const fault = { kind: "edge-slow", fromMs: 114, toMs: 200, factor: 2 } as const;
    const { send, times } = testWorld({ faults: [fault] });
    for (let batch = 0; batch < 3; batch++) send("edge", 1);
    expect(times().map(([, , start, seen]) => [start, seen])).toEqual([
      [14, 118],
      [114, 318],
      [314, 418],
    ]);
  });

  it("that goes down fails what it holds at once, in service or waiting, and what arrives", () => {
    const fault = { kind: "edge-down", fromMs: 60, toMs: 200 } as const;
    const { clock, send, results, times } = testWorld({ faults: [fault] });
    send("edge", 1);
    send("edge", 1);
    send("edge", 1, 100);
    send("edge", 1, 190);
    expect(times().map(([, , start, seen]) => [start, seen])).toEqual([
      ["edge-down", 64],
      ["edge-down", 64],
      ["edge-down", 118],
      [204, 308],
    ]);
    clock.runAll();
    expect(results[0]).toMatchObject({
      atMs: 64,
      result: { ok: false, error: { code: "target_unavailable" } },
    });
  });

  it("that goes down as a batch ends has served it", () => {
    const { send, times } = testWorld({ faults: [{ kind: "edge-down", fromMs: 114, toMs: 200 }] });
    send("edge", 1);
    expect(times()[0]).toEqual([0, 10, 14, 118]);
  });
});

describe("several edges", () => {
  it("have a link and replicas of their own", () => {
    const { send, sent, times } = testWorld({ hasTwin: true });
    for (const name of ["edge", "twin", "edge", "twin"] as const) send(name, 1);
    expect(times()).toEqual([
      [0, 10, 14, 118],
      [0, 10, 14, 68],
      [10, 20, 114, 218],
      [10, 20, 64, 118],
    ]);
    expect(sent.map(({ place }) => place)).toEqual(
      ["edge", "twin", "edge", "twin"].map((edge) => ({ target: "edge", edge, replica: 0 })),
    );
  });

  it("are touched by a fault that names one of them alone, and all by one that names none", () => {
    const span = { fromMs: 0, toMs: 1_000 };
    const seen = (fault: Fault) => {
      const { send, times } = testWorld({ hasTwin: true, faults: [fault] });
      for (const name of ["edge", "twin", "small"] as const) send(name, 1);
      return times().map(([, , , seenAtMs]) => seenAtMs);
    };
    const calm = [118, 68, 1_228];
    expect(seen({ kind: "edge-slow", factor: 3, edge: "twin", ...span })).toEqual([118, 168, 1_228]);
    expect(seen({ kind: "edge-slow", factor: 3, ...span })).toEqual([318, 168, 1_228]);
    expect(seen({ kind: "edge-down", edge: "edge", ...span })).toEqual([18, 68, 1_228]);
    expect(seen({ kind: "edge-down", ...span })).toEqual([18, 18, 1_228]);
    const slow = { kind: "link-slow", factor: 4, ...span } as const;
    expect(seen({ ...slow, target: "edge", edge: "twin" })).toEqual([118, 98, 1_228]);
    expect(seen({ ...slow, target: "edge" })).toEqual([148, 98, 1_228]);
    expect(seen({ ...slow, target: "serverless" })).toEqual([118, 68, 1_288]);
    expect(seen({ kind: "edge-down", fromMs: 2_000, toMs: 3_000 })).toEqual(calm);
  });
});

describe("functions", () => {
  it("start an instance for a call that finds none idle, and take the one used last", () => {
    const { send, sent } = testWorld({ maxInstances: 9 });
    send("small", 1);
    send("small", 1);
    send("large", 1);
    send("small", 1, 1_300);
    send("small", 1, 1_310);
    send("large", 1, 1_320);
    expect(sent.map(({ end }) => (end.ok ? [end.call?.instance, end.call?.coldStartMs] : []))).toEqual([
      [0, 1_000],
      [1, 1_000],
      [2, 1_000],
      [1, 0],
      [0, 0],
      [2, 0],
    ]);
  });

  it("forget an instance that was idle for its time", () => {
    const { send, times } = testWorld();
    send("large", 1);
    expect(times()).toEqual([[0, 20, 1_024, 1_078]]);
    // It ended at 1,074; calls reach it 24 ms after they are formed.
    send("large", 1, 1_549);
    send("large", 1, 2_123);
    expect(times().map(([, , start]) => start)).toEqual([1_024, 1_573, 3_147]);
  });

  it("refuse a call beyond the most instances, idle ones of other sizes counted, but not one that finds a warm one", () => {
    const { clock, send, sent, results, times } = testWorld({ maxInstances: 1 });
    send("small", 1);
    send("large", 1, 1_300);
    send("small", 1, 1_400);
    expect(times().map(([, , start, seen]) => [start, seen])).toEqual([
      [1_024, 1_228],
      ["max-instances", 1_328],
      [1_424, 1_628],
    ]);
    clock.runAll();
    expect(results[1]?.result).toMatchObject({ ok: false, error: { code: "target_throttled" } });
    expect(sent[1]?.end).not.toHaveProperty("call");
  });

  it("refuse every call that reaches them while they are throttled", () => {
    const { send, times } = testWorld({ faults: [{ kind: "throttle", fromMs: 24, toMs: 44 }] });
    send("small", 1);
    send("small", 1);
    expect(times().map(([, , start, seen]) => [start, seen])).toEqual([
      ["throttle", 28],
      [1_044, 1_248],
    ]);
  });

  it("bill the service time, and the cold start where the sheet says so", () => {
    const plain = testWorld();
    plain.send("large", 1);
    expect(plain.sent[0]?.end).toMatchObject({ call: { billedMs: 50, cost: 0.5 + 2 * 0.05 } });
    const cold = testWorld({ sheet: { ...tinySheet, coldStartBilled: true } });
    cold.send("large", 1);
    expect(cold.sent[0]?.end).toMatchObject({
      serviceMs: 50,
      call: { billedMs: 1_050, cost: 0.5 + 2 * 1.05 },
    });
  });
});
