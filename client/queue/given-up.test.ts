import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failed } from "../../test/support/failing-functions.ts";
import { answered, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import type { Decision, Policy, QueueView } from "../policies/policy.ts";

const graceMs = 200;

/**
 * Postpones the second request of a line at once and keeps the others for `sendAtMs`; the edge takes one batch at a time, and
 * a postponed request when it is idle.
 */
function postponing(sendAtMs: number, asked: string[] = []): Policy {
  return {
    name: "postponing",
    decide({ nowMs, line, targets }: QueueView): Decision {
      asked.push(`${nowMs} ${line.graceMs ? "postponed" : "usual"}`);
      const isBusy = (targets[0]?.inFlight ?? 0) > 0;
      const send = {
        kind: "dispatch",
        count: line.length,
        target: 0,
        plannedRows: 1,
        reason: "full",
      } as const;
      if (line.graceMs) return isBusy || nowMs < 120 ? { kind: "wait", untilMs: Infinity } : send;
      if (line.length === 2 && nowMs === 0) return { kind: "postpone", first: 1, count: 1, graceMs };
      return nowMs < sendAtMs || isBusy ? { kind: "wait", untilMs: Math.max(sendAtMs, nowMs + 1) } : send;
    },
  };
}

function worldOf(policy: Policy, latencyMs = 10) {
  return testQueue((clock) => ({
    policy,
    sloMs: 100,
    targets: [
      new ScriptedTarget(clock, { name: "edge", latencyMs }),
      new ScriptedTarget(clock, { name: "small", kind: "serverless" }),
    ],
  }));
}

describe("a postponed request", () => {
  it("is answered late by an edge, after whatever else waits then", () => {
    const asked: string[] = [];
    const { clock, submit, ends, targets, events } = worldOf(postponing(130, asked));
    submit(0);
    submit(1);
    clock.advanceTo(60);
    submit(2);
    clock.advanceTo(125);
    submit(3);
    clock.runAll();
    expect(events.find(({ kind }) => kind === "postponed")).toEqual({ kind: "postponed", id: 1, atMs: 0 });
    // The first request reached its deadline while the policy kept it.
    expect(ends.get(0)).toMatchObject({ outcome: "refused", error: { code: "deadline_passed" } });
    expect(targets[0]?.sent).toEqual([
      { atMs: 130, payloads: [2, 3] },
      { atMs: 140, payloads: [1] },
    ]);
    expect(ends.get(1)).toMatchObject({ outcome: "late", queuedMs: 140 });
    expect(asked.filter((each) => each.startsWith("140"))).toEqual(["140 postponed"]);
  });

  it("is refused as overloaded when it still waits at the end of its grace", () => {
    const { clock, submit, ends, events, queue } = worldOf(postponing(90), 1_000);
    submit(0);
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "refused", error: { code: "overloaded" } });
    expect(events.filter((event) => event.kind === "end" && event.id === 1)).toMatchObject([
      { atMs: 100 + graceMs },
    ]);
    expect(queue.counts).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  it("is not told of as expired, and is no late answer that a policy should learn from", () => {
    const expired: number[] = [];
    const late: number[] = [];
    const policy: Policy = {
      ...postponing(90),
      expired: (_, nowMs) => expired.push(nowMs),
      ended: (batch) => late.push(batch.late),
    };
    const { clock, submit, ends } = worldOf(policy);
    submit(0);
    submit(1);
    clock.advanceTo(150);
    submit(2);
    clock.runAll();
    expect(ends.get(1)?.outcome).toBe("late");
    expect(expired).toEqual([]);
    expect(late).toEqual([0, 0, 0]);
  });

  it("can be cancelled, and ends when the queue closes", () => {
    const { clock, queue, submit, ends } = worldOf(postponing(90), 1_000);
    submit(0);
    const outcomes: string[] = [];
    const ticket = queue.submit({ payload: 1 }, ({ outcome }) => outcomes.push(outcome));
    clock.advanceTo(10);
    expect(queue.cancel(ticket)).toBe(true);
    expect(outcomes).toEqual(["cancelled"]);
    let isDrained = false;
    queue.close(() => (isDrained = true));
    clock.runAll();
    expect([isDrained, ends.size]).toEqual([true, 1]);
  });

  it("is not postponed again, and only where an edge may take it", () => {
    const again: Policy = {
      name: "again",
      decide: () => ({ kind: "postpone", first: 0, count: 1, graceMs }),
    };
    expect(() => worldOf(again).submit(0)).toThrow("graceMs is 200 for postponed requests");
    const alone = testQueue((clock) => ({
      policy: again,
      targets: [new ScriptedTarget(clock, { name: "small", kind: "serverless" })],
    }));
    expect(() => alone.submit(0)).toThrow("allowed: above 0, for requests that wait and may go to an edge");
  });
});

/** Postpones, sends and waits as the numbers say, wherever that is allowed. */
function anyPolicy(numbers: readonly number[]): Policy {
  let asked = 0;
  return {
    name: "any",
    decide({ nowMs, line, targets }: QueueView): Decision {
      const number = numbers[asked++ % numbers.length] as number;
      const first = number % line.length;
      const edge = targets[0] as QueueView["targets"][number];
      if (number % 3 === 0 && !line.graceMs) return { kind: "postpone", first, count: 1, graceMs };
      const target = line.graceMs ? 0 : number % 2;
      const hasRoom = target === 1 || (edge.inFlight < 2 && edge.health(nowMs).kind === "healthy");
      if (number % 5 === 0 || !hasRoom) return { kind: "wait", untilMs: nowMs + 1 + number };
      return { kind: "dispatch", first, count: 1, target, plannedRows: 1, reason: "full" };
    },
  };
}

it("ends every request once, and a postponed one without functions and before its grace is over", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(90), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 2, max: 9 }),
      (numbers, gapsMs, failing) => {
        const latencyMs = 30;
        const { clock, submit, ends, events, targets } = testQueue((virtual) => ({
          policy: anyPolicy(numbers),
          sloMs: 100,
          targets: [
            new ScriptedTarget(virtual, {
              name: "edge",
              latencyMs,
              answer: (batch, nth) =>
                nth % failing === 1 ? failed("target_unavailable", "gone") : answered(batch),
            }),
            new ScriptedTarget(virtual, { name: "small", kind: "serverless" }),
          ],
        }));
        let atMs = 0;
        for (const [id, gapMs] of gapsMs.entries()) {
          atMs += gapMs;
          clock.advanceTo(atMs);
          submit(id);
        }
        clock.runAll();
        expect(ends.size).toBe(gapsMs.length);
        const postponed = events.flatMap((each) => (each.kind === "postponed" ? [each] : []));
        for (const { id, atMs: postponedAtMs } of postponed) {
          const calls = targets[1]?.sent.filter(({ payloads }) => payloads.includes(id)) ?? [];
          expect(calls.every((call) => call.atMs < postponedAtMs)).toBe(true);
          const arrival = events.find((each) => each.kind === "arrival" && each.id === id);
          const end = events.find((each) => each.kind === "end" && each.id === id);
          const lastMs = (arrival?.atMs ?? 0) + 100 + graceMs + latencyMs;
          expect(end?.atMs).toBeLessThanOrEqual(lastMs);
        }
      },
    ),
    { numRuns: 60 },
  );
});
