import { expect, it } from "vitest";
import { shownTarget } from "../../../test/support/asked-policy.ts";
import { crowd, lineOf } from "../../../test/support/tiny-targets.ts";
import type { LineView, QueueView } from "../policy.ts";
import { StandingDecision } from "./standing-decision.ts";

const targets: QueueView["targets"] = [];

function viewOf(line: LineView, nowMs = 0, draining = false): QueueView {
  return { nowMs, line, targets, draining };
}

const version = 3;
const untilTen = { kind: "wait", untilMs: 10 } as const;
const standing = new StandingDecision(viewOf(crowd(64, 500)), untilTen, version);

it("holds while the same requests wait, until the moment it named", () => {
  expect(standing.decision).toBe(untilTen);
  expect(
    [0, 9.99, 10, 11].map((nowMs) => standing.isStillValid(viewOf(crowd(64, 500), nowMs), version)),
  ).toEqual([true, true, false, false]);
});

it("holds while a long line grows by a few at its end", () => {
  // Requests of these lines arrived at 0; a 32nd of 64 is 2.
  expect([65, 66, 67].map((count) => standing.isStillValid(viewOf(crowd(count, 500)), version))).toEqual([
    true,
    true,
    false,
  ]);
  const short = new StandingDecision(viewOf(crowd(5, 500)), untilTen, version);
  expect(short.isStillValid(viewOf(crowd(6, 500)), version)).toBe(false);
});

it("does not hold when who joined did not join at the end", () => {
  // The last one arrived at 0, so at 5 somebody else is new: with an earlier deadline.
  expect(standing.isStillValid(viewOf(crowd(65, 500), 5), version)).toBe(false);
});

it("does not hold for another first request, although as many wait", () => {
  const first = { rows: 1, bytes: 0, arrivedAtMs: 0, deadlineAtMs: 5, attempts: 0 };
  const lineWith = (request: typeof first): LineView => ({ ...lineOf([5]), at: () => request });
  const forever = { kind: "wait", untilMs: Infinity } as const;
  const alone = new StandingDecision(viewOf(lineWith(first)), forever, version);
  expect(alone.isStillValid(viewOf(lineWith(first), 4), version)).toBe(true);
  const next = { ...first, arrivedAtMs: 10, deadlineAtMs: 15 };
  expect(alone.isStillValid(viewOf(lineWith(next), 10), version)).toBe(false);
});

it("does not hold once something was learned of the targets, or a batch of another line left", () => {
  expect(standing.isStillValid(viewOf(crowd(64, 500)), version + 1)).toBe(false);
});

it("does not hold for another line, a shorter one, or once the queue closes", () => {
  expect(standing.isStillValid(viewOf({ ...crowd(64, 500), key: "other" }), version)).toBe(false);
  expect(standing.isStillValid({ ...viewOf(crowd(64, 500)), targets: [] }, version)).toBe(false);
  expect(standing.isStillValid(viewOf(crowd(63, 500)), version)).toBe(false);
  expect(standing.isStillValid(viewOf(lineOf([])), version)).toBe(false);
  expect(standing.isStillValid(viewOf(crowd(64, 500), 0, true), version)).toBe(false);
});

it("does not hold once a batch has left an edge, or a function that was full", () => {
  const holds = (kind: "edge" | "serverless", maxInFlight: number): boolean => {
    const target = { ...shownTarget({ name: "t", kind, maxInFlight }), inFlight: 2 };
    const view = { ...viewOf(crowd(64, 500)), targets: [target] };
    const waiting = new StandingDecision(view, untilTen, version);
    expect(waiting.isStillValid(view, version)).toBe(true);
    target.inFlight = 1;
    return waiting.isStillValid(view, version);
  };
  expect([holds("edge", 16), holds("serverless", 2), holds("serverless", 16)]).toEqual([false, false, true]);
});
