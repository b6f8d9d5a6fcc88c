import { expect, it } from "vitest";
import type { QueueEvent } from "../../../queue/queue-event.ts";
import { ofModel, ofTarget, QueueHistory } from "./history.ts";
import type { SeriesKind } from "./wire.ts";

const arrival = (id: number, atMs: number, more: object = {}): QueueEvent => {
  return { kind: "arrival", id, atMs, key: "m x", rows: 1, bytes: 1, sloMs: 100, ...more };
};
const batch = (id: number, atMs: number, requests: number[], target = "edge"): QueueEvent => {
  const facts = { key: "m x", plannedRows: 4, reason: "full", waitedMs: 0 } as const;
  return { kind: "batch", id, atMs, target, rows: requests.length, requests, ...facts };
};
const answered = (id: number, atMs: number, cost = 0): QueueEvent => {
  return { kind: "result", batch: id, atMs, ok: true, serviceMs: 1, coldStartMs: 0, cost };
};
const failed = (id: number, atMs: number): QueueEvent => {
  return { kind: "result", batch: id, atMs, ok: false, code: "target_timeout", message: "late" };
};
const end = (id: number, atMs: number, outcome: "served" | "late" | "refused"): QueueEvent => {
  return outcome === "refused"
    ? { kind: "end", id, atMs, outcome, code: "queue_full" }
    : { kind: "end", id, atMs, outcome };
};

function told(history: QueueHistory, of: SeriesKind, name = ""): (number | null)[] {
  const at = history.fine.columns().findIndex((column) => column.of === of && column.name === name);
  return history.fine.rows(0).map((row) => row[at] ?? null);
}

it("counts by second what arrives and how it ends", () => {
  const history = new QueueHistory();
  for (const event of [
    arrival(0, 100),
    arrival(1, 200),
    batch(0, 300, [0, 1]),
    answered(0, 1_500, 0.25),
    end(0, 1_500, "served"),
    end(1, 1_500, "late"),
    arrival(2, 2_000),
    end(2, 2_000, "refused"),
  ])
    history.observe(event);
  history.advance(4_000);
  expect(told(history, "arrivals")).toEqual([2, 0, 1, 0]);
  expect(told(history, "inTime")).toEqual([0, 1, 0, 0]);
  expect(told(history, "late")).toEqual([0, 1, 0, 0]);
  expect(told(history, "refused")).toEqual([0, 0, 1, 0]);
  expect(told(history, "cost")).toEqual([0, 0.25, 0, 0]);
  expect(told(history, "answered", "edge")).toEqual([0, 2, 0, 0]);
  expect(told(history, "p99", "*")[1]).toBeCloseTo(1_400, -2);
  expect(history.latencyMs(0.5, 4_000)).toBeCloseTo(1_300, -2);
  expect(history.losses.get("queue_full")?.sum(0, 4_000, 300_000)).toBe(1);
});

it("knows how many rows wait in each lane, also after a failure and in a quiet time", () => {
  const history = new QueueHistory(["bulk"]);
  for (const event of [
    arrival(0, 100, { lane: "bulk", rows: 3 }),
    arrival(1, 100),
    batch(0, 1_200, [0]),
    failed(0, 2_300),
    end(0, 3_400, "refused"),
  ])
    history.observe(event);
  history.advance(6_000);
  expect(told(history, "queue", "bulk")).toEqual([3, 0, 3, 0, 0, 0]);
  expect(told(history, "queue")).toEqual([1, 1, 1, 1, 1, 1]);
  expect(history.lanes.map(({ name, waitingRequests }) => [name, waitingRequests])).toEqual([
    ["", 1],
    ["bulk", 0],
  ]);
});

it("says what functions alone would cost once prices are known, and nothing before", () => {
  const history = new QueueHistory();
  history.observe(arrival(0, 100));
  expect(history.unpricedKeys(0, 9)).toEqual(["m x"]);
  history.setAloneCost("m x", 0.5, 500);
  expect(history.unpricedKeys(0, 9)).toEqual([]);
  for (const id of [1, 2]) history.observe(arrival(id, 1_100));
  history.advance(2_000);
  expect(told(history, "alone")).toEqual([null, 1]);
  expect(history.mainKey(2_000)).toBe("m x");
  expect(history.mainKey(2_000_000)).toBeUndefined();
});

it("counts targets and models of the last minutes, and forgets them then", () => {
  const history = new QueueHistory();
  for (const event of [
    arrival(0, 0),
    arrival(1, 0),
    batch(0, 1, [0, 1]),
    answered(0, 50, 2),
    end(0, 50, "served"),
  ])
    history.observe(event);
  const [edge, model] = [history.targets.get("edge"), history.models.get("m")];
  expect(edge?.sum(ofTarget.answered, 60_000, 300_000)).toBe(2);
  expect(edge?.sum(ofTarget.cost, 60_000, 300_000)).toBe(2);
  expect(edge?.sum(ofTarget.sizes + 1, 60_000, 300_000)).toBe(1);
  expect(model?.sum(ofModel.arrived, 60_000, 300_000)).toBe(2);
  expect(edge?.sum(ofTarget.answered, 1_000_000, 300_000)).toBe(0);
});

it("is of bounded size whatever names callers and edges have, and however long it lasts", () => {
  const history = new QueueHistory();
  const bytesAfter = (from: number): number => {
    for (let id = from; id < from + 3_000; id++) {
      const atMs = id * 100;
      const lane = { lane: `lane ${id}` };
      history.observe(arrival(id, atMs, { key: `${"m".repeat(900)}${id} x`, ...lane }));
      history.observe(batch(id, atMs, [id], `edge ${id}`));
      history.observe(answered(id, atMs + 1));
      history.observe(end(id, atMs + 1, "served"));
    }
    return history.fine.bytes + history.coarse.bytes;
  };
  const first = bytesAfter(0);
  expect(first).toBeLessThan(1_000_000);
  expect(bytesAfter(10_000_000)).toBeLessThan(1_000_000);
  expect([...history.models.entries()].length).toBeLessThanOrEqual(101);
  expect([...history.targets.entries()].length).toBeLessThanOrEqual(65);
  expect(history.lanes.length).toBeLessThanOrEqual(17);
  expect(history.open).toBe(0);
  const longest = Math.max(...Array.from(history.models.entries(), ([name]) => name.length));
  expect(longest).toBeLessThan(110);
});
