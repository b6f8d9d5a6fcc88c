import { expect, it } from "vitest";
import { shownTarget } from "../../../test/support/asked-policy.ts";
import { crowd, lineOf } from "../../../test/support/tiny-targets.ts";
import type { LineView, QueueView, WaitDecision } from "../policy.ts";
import { StandingDecision } from "./standing-decision.ts";

const targets: QueueView["targets"] = [];

function viewOf(line: LineView, nowMs = 0, draining = false): QueueView {
  return { nowMs, line, targets, draining };
}

const version = 3;
const untilTen = { kind: "wait", untilMs: 10 } as const;

function standingIn(view: QueueView, decision: WaitDecision): StandingDecision {
  const standing = new StandingDecision();
  standing.keep(view, decision, version);
  return standing;
}

const standing = standingIn(viewOf(crowd(64, 500)), untilTen);
const holdsIn = (view: QueueView, now = version): boolean => standing.in(view, now) !== undefined;

it("holds while the same requests wait, until the moment it named", () => {
  const at = (nowMs: number) => standing.in(viewOf(crowd(64, 500), nowMs), version);
  expect([0, 9.99, 10, 11].map(at)).toEqual([untilTen, untilTen, undefined, undefined]);
});

it("holds while a long line grows by a few at its end", () => {
  // Requests of these lines arrived at 0; a 32nd of 64 is 2.
  expect([65, 66, 67].map((count) => holdsIn(viewOf(crowd(count, 500))))).toEqual([true, true, false]);
  const short = standingIn(viewOf(crowd(5, 500)), untilTen);
  expect(short.in(viewOf(crowd(6, 500)), version)).toBeUndefined();
});

it("does not hold when who joined did not join at the end", () => {
  // The last one arrived at 0, so at 5 somebody else is new: with an earlier deadline.
  expect(holdsIn(viewOf(crowd(65, 500), 5))).toBe(false);
});

it("does not hold for another first request, although as many wait", () => {
  const first = { rows: 1, bytes: 0, arrivedAtMs: 0, deadlineAtMs: 5, attempts: 0 };
  const lineWith = (request: typeof first): LineView => ({ ...lineOf([5]), at: () => request });
  const forever = { kind: "wait", untilMs: Infinity } as const;
  const alone = standingIn(viewOf(lineWith(first)), forever);
  expect(alone.in(viewOf(lineWith(first), 4), version)).toBe(forever);
  const next = { ...first, arrivedAtMs: 10, deadlineAtMs: 15 };
  expect(alone.in(viewOf(lineWith(next), 10), version)).toBeUndefined();
});

it("does not hold once it was dropped", () => {
  const dropped = standingIn(viewOf(crowd(64, 500)), untilTen);
  dropped.drop();
  expect(dropped.in(viewOf(crowd(64, 500)), version)).toBeUndefined();
});

it("does not hold once something was learned of the targets, or a batch of another line left", () => {
  expect(holdsIn(viewOf(crowd(64, 500)), version + 1)).toBe(false);
});

it("does not hold for another line, a shorter one, or once the queue closes", () => {
  expect(holdsIn(viewOf({ ...crowd(64, 500), key: "other" }))).toBe(false);
  expect(holdsIn({ ...viewOf(crowd(64, 500)), targets: [] })).toBe(false);
  expect(holdsIn(viewOf(crowd(63, 500)))).toBe(false);
  expect(holdsIn(viewOf(lineOf([])))).toBe(false);
  expect(holdsIn(viewOf(crowd(64, 500), 0, true))).toBe(false);
});

it("does not hold once a batch has left an edge, or a function that was full", () => {
  const holds = (kind: "edge" | "serverless", maxInFlight: number): boolean => {
    const target = { ...shownTarget({ name: "t", kind, maxInFlight }), inFlight: 2 };
    const view = { ...viewOf(crowd(64, 500)), targets: [target] };
    const waiting = standingIn(view, untilTen);
    expect(waiting.in(view, version)).toBe(untilTen);
    target.inFlight = 1;
    return waiting.in(view, version) !== undefined;
  };
  expect([holds("edge", 16), holds("serverless", 2), holds("serverless", 16)]).toEqual([false, false, true]);
});
