import { expect, it } from "vitest";
import type { Decision, EndedBatch, Policy, QueueView } from "./policy.ts";
import { ask, pausedUntil, shownTarget } from "../../test/support/asked-policy.ts";
import { byKeyPolicy } from "./by-key.ts";
import { oversizedFirst } from "./oversized.ts";
import { withTimerSlack } from "./with-timer-slack.ts";

/** What the queue shows of one-target, one-line state. */
function view(key: string, rows: readonly number[], facts: Partial<QueueView> = {}): QueueView {
  const line = rows.map((each) => {
    return { rows: each, bytes: 0, arrivedAtMs: 0, deadlineAtMs: 100, attempts: 0 };
  });
  return {
    nowMs: 0,
    line: {
      key,
      length: line.length,
      rows: rows.reduce((sum, each) => sum + each, 0),
      at: (index) => line[index] as (typeof line)[number],
      oldestArrivalMs: () => 0,
    },
    targets: [shownTarget({ name: "edge", kind: "edge", maxInFlight: 1 })],
    draining: false,
    ...facts,
  };
}

function ended(key: string, rows: number): EndedBatch {
  return { id: 0, target: 0, key, rows, bytes: 0, formedAtMs: 0, endedAtMs: 1, times: undefined, late: 0 };
}

const send: Decision = { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" };

/** Sends always, and notes what it hears. */
function noting(name: string, heard: string[], decision: Decision = send): Policy {
  return {
    name,
    decide: () => decision,
    arrived: (key, rows) => heard.push(`${name} arrived ${key} ${rows}`),
    took: ({ line }) => heard.push(`${name} took ${line.key}`),
    sent: ({ key, rows }) => heard.push(`${name} sent ${key} ${rows}`),
    ended: ({ key, rows }) => heard.push(`${name} ended ${key} ${rows}`),
  };
}

it("makes a policy for each key, and tells each of its own key only", () => {
  const heard: string[] = [];
  const policy = byKeyPolicy("all", (key) => noting(`for ${key}`, heard));
  policy.arrived?.("a", 1, 0);
  policy.arrived?.("b", 2, 0);
  expect(ask(policy, view("a", [1]))).toBe(send);
  policy.ended?.(ended("a", 1));
  expect(heard).toEqual([
    "for a arrived a 1",
    "for b arrived b 2",
    "for a took a",
    "for a sent a 1",
    "for a ended a 1",
  ]);
});

it("forgets the key longest unused, but none whose batch is under way", () => {
  const made: string[] = [];
  const policy = byKeyPolicy("all", (key) => {
    made.push(key);
    return noting(key, [], key === "busy" ? send : { kind: "wait", untilMs: Infinity });
  });
  const come = (key: string): void => {
    policy.arrived?.(key, 1, 0);
    ask(policy, view(key, [1]));
  };
  come("busy");
  come("idle");
  for (let index = 0; index < 70; index++) come(`k${index}`);
  made.length = 0;
  policy.ended?.(ended("busy", 1));
  expect(made).toEqual([]);
  come("idle");
  expect(made).toEqual(["idle"]);
});

it("sends a request of more rows than were measured alone, and keeps it from the policy", () => {
  const heard: string[] = [];
  const policy = oversizedFirst(noting("inner", heard), 8);
  policy.arrived?.("a", 100, 0);
  expect(ask(policy, view("a", [3, 100]))).toMatchObject({ first: 1, count: 1, target: 0 });
  policy.ended?.(ended("a", 100));
  expect(heard).toEqual(["inner arrived a 8"]);
  expect(ask(policy, view("a", [3, 8]))).toBe(send);
});

it("waits with an oversized request while no target takes anything", () => {
  const targets = [shownTarget({ name: "edge", kind: "edge" }, pausedUntil(30))];
  const decision = ask(oversizedFirst(noting("inner", []), 8), view("a", [9], { targets }));
  expect(decision).toMatchObject({ kind: "wait", untilMs: 30 });
});

it("lets a policy that waits for the last moment find it when the timer is a little late", () => {
  const leftMs: number[] = [];
  const policy = withTimerSlack(
    {
      name: "last moment",
      decide: ({ nowMs, line }) => {
        const left = line.at(0).deadlineAtMs - nowMs;
        leftMs.push(left);
        return left > 20 ? { kind: "wait", untilMs: nowMs + left - 20 } : send;
      },
    },
    5,
    5,
  );
  expect(ask(policy, view("a", [1]))).toEqual({ kind: "wait", untilMs: 75 });
  expect(ask(policy, view("a", [1], { nowMs: 78 }))).toBe(send);
  expect(ask(policy, view("a", [1], { nowMs: 90 }))).toBe(send);
  expect(leftMs).toEqual([95, 20, 5]);
});
