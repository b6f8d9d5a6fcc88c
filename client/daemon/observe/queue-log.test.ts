import { expect, it } from "vitest";
import { QueueLog } from "./queue-log.ts";
import type { PlanRecord } from "./observer.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";

function batch(id: number, atMs: number, target = "edge"): QueueEvent {
  const facts = { key: "m", plannedRows: 4, rows: 3, reason: "full", waitedMs: 20, requests: [id] } as const;
  return { kind: "batch", id, atMs, target, ...facts };
}

function failed(id: number, atMs: number): QueueEvent {
  const why = { code: "target_throttled", message: "too many calls", cost: 0.5 } as const;
  return { kind: "result", batch: id, atMs, ok: false, ...why };
}

/** What the log says of these events. */
function logged(...events: (QueueEvent | PlanRecord)[]): [object, string][] {
  const lines: [object, string][] = [];
  const take = (facts: object, message: string): void => void lines.push([facts, message]);
  const debug = (facts: object, message: string): void => take(facts, `debug: ${message}`);
  const log = new QueueLog({ debug, info: take, warn: take });
  for (const event of events) log.observe(event);
  return lines;
}

it("says of each batch what was planned and sent, and what it cost", () => {
  const result: QueueEvent = {
    kind: "result",
    batch: 0,
    atMs: 110,
    ok: true,
    serviceMs: 60,
    coldStartMs: 0,
    cost: 0.25,
  };
  const [[facts, message] = [{}, ""]] = logged(batch(0, 10), result);
  expect(message).toBe("batch");
  expect(facts).toMatchObject({
    preparedRows: 4,
    actualRows: 3,
    inferenceS: 0.06,
    answeredS: 0.1,
    cost: 0.25,
  });
});

it("says of a cold start how long it took, or that nobody knows", () => {
  const result = { kind: "result", atMs: 110, ok: true, cost: 0 } as const;
  const results = [
    { ...result, batch: 0, coldStartMs: 700 },
    { ...result, batch: 1 },
  ];
  const warm = { ...result, batch: 2, coldStartMs: 0 };
  const lines = logged(batch(0, 10), batch(1, 10), batch(2, 10), ...results, warm);
  const starts = lines.map(([facts]) => (facts as { coldStartS?: unknown }).coldStartS);
  expect(starts).toEqual([0.7, "unknown", undefined]);
});

it("says what a failed batch cost, and counts those of a kind that it leaves out within a second", () => {
  const flood = Array.from({ length: 5 }, (_, id) => [batch(id, 0), failed(id, 10 + id)]).flat();
  const lines = logged(...flood, batch(5, 0, "small"), failed(5, 20), batch(6, 0), failed(6, 1_011));
  expect(lines.map(([facts]) => facts)).toEqual([
    expect.objectContaining({ target: "edge", code: "target_throttled", cost: 0.5 }),
    expect.objectContaining({ target: "small" }),
    expect.objectContaining({ target: "edge", batch: 6, alikeLeftOut: 4 }),
  ]);
});

it("says each plan that changes something, and the others to those who look closely", () => {
  const plan = { kind: "plan", key: "m", atMs: 1, ratePerS: 3.1234, text: "small", plan: {} } as const;
  const lines = logged(
    { ...plan, cause: "start", isAdopted: true },
    { ...plan, cause: "changepoint", isAdopted: false },
    { ...plan, cause: "heartbeat", isAdopted: false },
  );
  expect(lines.map(([, message]) => message)).toEqual(["plan", "plan", "debug: plan"]);
  expect(lines[0]?.[0]).toEqual({ cause: "start", ratePerS: 3.1, isAdopted: true, text: "small" });
});
