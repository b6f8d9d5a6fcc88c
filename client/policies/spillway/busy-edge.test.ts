import { expect, it } from "vitest";
import { lineOf, scheduleOf, send, tinyEdge } from "../../../test/support/tiny-targets.ts";
import { poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";

/** The part of the time from its first batch to its last in which the edge has nothing to do. */
function idlePart(rows1: readonly number[], rows8: readonly number[]): number {
  const link = { rttMs: 1, uplinkMbps: 1_000 };
  const scenario = smallWorld({ edge: { link, serviceMs: { "1": rows1, "8": rows8 } } });
  const arrivals = poisson({ perS: 500, untilMs: 1_000 });
  const times = runPolicy(arrivals, { scenario }).sent.flatMap(({ place, end }) =>
    place.target === "edge" && end.ok ? [end] : [],
  );
  const spans = times.map(({ startMs, endMs }) => [startMs, endMs] as const).sort(([a], [b]) => a - b);
  let idleMs = 0;
  for (const [index, [startMs]] of spans.entries())
    if (index > 0) idleMs += startMs - (spans[index - 1]?.[1] as number);
  return idleMs / ((spans.at(-1)?.[1] as number) - (spans[0]?.[0] as number));
}

it("does not let an overloaded edge idle because its last batch took less than expected", () => {
  // Batches that go for their mean time arrive too late half of the time.
  expect(idlePart([8, 10, 12], [18, 24, 30])).toBeLessThan(0.02);
});

it("sends a batch the sooner the less is known of the one before, while others wait behind it", () => {
  const crowd = lineOf(Array.from({ length: 12 }, () => 1_000));
  const batch = { first: 0, count: 4, rows: 4 };
  const schedule = scheduleOf(tinyEdge({ deviationMs: 3, rowUploadMs: 0.5 }), 2);
  send(schedule.model, 2, 0);
  schedule.start(0);
  const dueAtMs = schedule.dueAtMs(0, 4);
  expect(schedule.sendAtMs(crowd, 0, batch)).toBeCloseTo(dueAtMs - 2 * 3, 9);
  // Of eleven, seven are left, and who comes meanwhile might make the batch larger.
  expect(schedule.sendAtMs(lineOf(Array.from({ length: 11 }, () => 1_000)), 0, batch)).toBe(dueAtMs);
});

it("sends no batch early where uploads take long, nor to an edge with several replicas", () => {
  for (const facts of [{ rowUploadMs: 2 }, { rowUploadMs: 0.5, replicas: 2 }]) {
    const schedule = scheduleOf(tinyEdge({ deviationMs: 3, ...facts }), 2);
    for (let sent = 0; sent < 2; sent++) send(schedule.model, 2, 0);
    schedule.start(0);
    const crowd = lineOf(Array.from({ length: 12 }, () => 1_000));
    const replica = schedule.soonest();
    expect(schedule.sendAtMs(crowd, replica, { first: 0, count: 4, rows: 4 })).toBe(
      schedule.dueAtMs(replica, 4),
    );
  }
});

it("sends no batch early to an edge that others need before it", () => {
  const schedule = scheduleOf(tinyEdge({ deviationMs: 3, rowUploadMs: 0.5 }), 2);
  send(schedule.model, 2, 0);
  schedule.start(0);
  schedule.claim([{ dueAtMs: 500, workMs: 10 }], 0);
  const batch = { first: 0, count: 1, rows: 1 };
  expect(schedule.sendAtMs(lineOf([900, 900, 900]), 0, batch)).toBe(schedule.dueAtMs(0, 1));
});
