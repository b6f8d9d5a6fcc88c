import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { QueueEvent } from "../../queue/queue-event.ts";
import { LaterObserver } from "./later-observer.ts";
import type { PlanRecord } from "./observer.ts";

const timer = (atMs: number): QueueEvent => ({ kind: "timer", atMs });
const sent = (atMs: number): QueueEvent => ({
  kind: "batch",
  id: 0,
  atMs,
  target: "edge",
  key: "m",
  plannedRows: 1,
  rows: 1,
  reason: "full",
  waitedMs: 0,
  requests: [0],
});

function watched(): { readonly later: LaterObserver; readonly seen: (QueueEvent | PlanRecord)[] } {
  const seen: (QueueEvent | PlanRecord)[] = [];
  return { later: new LaterObserver({ observe: (event) => seen.push(event) }), seen };
}

test("an event is passed on once somebody wants to know, and only once", () => {
  const { later, seen } = watched();
  later.observe(timer(1));
  later.observe(timer(2));
  expect(seen).toEqual([]);
  later.catchUp();
  later.catchUp();
  expect(seen).toEqual([timer(1), timer(2)]);
});

test("once a batch is sent, all before it is passed on in order, behind what its sending put off", async () => {
  const { later, seen } = watched();
  const order: string[] = [];
  later.observe(timer(1));
  later.observe(sent(2));
  setImmediate(() => order.push(`written, ${seen.length} passed on`));
  while (seen.length === 0) await nextTurn();
  expect(order).toEqual(["written, 0 passed on"]);
  expect(seen).toEqual([timer(1), sent(2)]);
});

test("without a batch it is passed on by itself", async () => {
  const { later, seen } = watched();
  later.observe(timer(1));
  while (seen.length === 0) await nextTurn();
  expect(seen).toEqual([timer(1)]);
});

test("no more than 1,024 events wait", () => {
  const { later, seen } = watched();
  for (let atMs = 0; atMs < 1_500; atMs++) later.observe(timer(atMs));
  expect(seen).toHaveLength(1_024);
});
