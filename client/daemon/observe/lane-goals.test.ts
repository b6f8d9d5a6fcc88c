import { expect, it } from "vitest";
import type { Outcome } from "../../queue/queue-event.ts";
import { LaneGoals } from "./lane-goals.ts";

/** Requests of a lane that took as long as this and ended so. */
function seen(
  goals: LaneGoals,
  lane: string,
  ends: readonly (readonly [Outcome, number, string?])[],
  from = 0,
) {
  for (const [index, [outcome, tookMs, code]] of ends.entries()) {
    const id = from + index;
    goals.observe({ kind: "arrival", id, atMs: 100, key: "m", rows: 1, bytes: 1, sloMs: 500, lane } as never);
    goals.observe({ kind: "end", id, atMs: 100 + tookMs, outcome, ...(code && { code }) } as never);
  }
}

const goal = { sloMs: 500, sloQuantile: 0.9 };

it("judges each lane by its own quantile, over its last 1,000 requests", () => {
  const goals = new LaneGoals({ "": goal, fast: { sloMs: 100, sloQuantile: 0.5 } });
  seen(goals, "", [...Array.from({ length: 9 }, () => ["served", 200] as const), ["late", 700]]);
  seen(
    goals,
    "fast",
    [
      ["served", 50],
      ["late", 150],
      ["refused", 0, "deadline_passed"],
      ["failed", 1, "target_fault"],
    ],
    100,
  );
  const { "": plain, fast } = goals.reports();
  expect(plain?.recent).toMatchObject({ requests: 10, inSloShare: 0.9, isMet: true });
  expect(plain?.recent.latencyMs).toBeCloseTo(250);
  expect(fast).toMatchObject({
    sloMs: 100,
    sloQuantile: 0.5,
    // Half of them had no answer, so that the median has no latency.
    recent: { requests: 4, inSloShare: 0.25, isMet: false, latencyMs: null },
  });
  seen(
    goals,
    "fast",
    Array.from({ length: 1_000 }, () => ["served", 10] as const),
    200,
  );
  expect(goals.reports()["fast"]?.recent).toEqual({
    requests: 1_000,
    inSloShare: 1,
    isMet: true,
    latencyMs: 10,
  });
});

it("counts neither requests whose callers left nor those refused for what is in them", () => {
  const goals = new LaneGoals({ "": goal });
  seen(goals, "", [
    ["cancelled", 1],
    ["refused", 0, "request_too_large"],
    ["failed", 1, "request_rejected"],
  ]);
  expect(goals.reports()[""]?.recent).toEqual({
    requests: 0,
    inSloShare: null,
    latencyMs: null,
    isMet: null,
  });
});

it("has the promise as metrics at once, and what is kept of it once there are requests", async () => {
  const goals = new LaneGoals({ "": goal });
  const values = async () => (await goals.text()).split("\n").filter((line) => line.includes("{"));
  expect(await values()).toEqual(['spillway_queue_slo_quantile{lane=""} 0.9']);
  seen(goals, "", [["served", 250]]);
  expect(await values()).toContain('spillway_queue_lane_in_slo_share{lane=""} 1');
  expect(await values()).toContain('spillway_queue_lane_latency_seconds{lane=""} 0.25');
});
