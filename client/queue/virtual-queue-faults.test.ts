import { describe, expect, it } from "vitest";
import {
  answered,
  payloadsOf,
  ScriptedTarget,
  testQueue,
  unavailable,
} from "../../test/support/scripted-target.ts";
import { failed } from "../../test/support/failing-functions.ts";
import { SpillwayError } from "../../base/errors.ts";

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe("a batch that fails", () => {
  it("is tried again on the other target within its deadline", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      targets: [
        new ScriptedTarget(virtual, { name: "edge", answer: unavailable }),
        new ScriptedTarget(virtual, { name: "serverless" }),
      ],
    }));
    for (const id of range(20)) submit(id);
    clock.runAll();
    expect(targets[0]?.sent).toHaveLength(1);
    expect([...ends.values()].map((end) => end.outcome)).toEqual(range(20).map(() => "served"));
  });

  it("leaves a failing target alone for a time that doubles", () => {
    const { clock, submit, targets } = testQueue((virtual) => ({
      targets: [new ScriptedTarget(virtual, { name: "edge", answer: unavailable })],
      maxAttempts: 100,
    }));
    for (const id of range(20)) submit(id);
    clock.advanceTo(999);
    // Fails 10 ms after it was sent, pauses 100, 200, 400 ms.
    expect(targets[0]?.sent.map(({ atMs }) => atMs)).toEqual([0, 110, 320, 730]);
  });

  it("fails its requests after the last attempt, or at once when trying again cannot help", () => {
    const attempts = testQueue((virtual) => ({
      targets: [new ScriptedTarget(virtual, { name: "edge", answer: () => failed("target_timeout") })],
      maxAttempts: 2,
    }));
    for (const id of range(20)) attempts.submit(id);
    attempts.clock.runAll();
    expect(attempts.targets[0]?.sent).toHaveLength(2);
    expect(attempts.queue.counts).toMatchObject({ failed: 20, waiting: 0, inFlight: 0 });

    const rejected = testQueue((virtual) => ({
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: () => ({ ok: false, error: new SpillwayError("request_rejected", "no such input") }),
        }),
      ],
    }));
    for (const id of range(20)) rejected.submit(id);
    rejected.clock.runAll();
    expect(rejected.targets[0]?.sent).toHaveLength(1);
    expect(rejected.ends.get(3)).toMatchObject({ outcome: "failed", error: { message: "no such input" } });
  });

  it("may fail for some of its requests alone: the others are answered, and these end or are tried again", () => {
    const { clock, submit, ends, events, targets } = testQueue((virtual) => ({
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch, nth) => {
            if (nth > 0) return answered(batch);
            const unanswered = new Map([
              [1, new SpillwayError("request_too_large", "too large alone")],
              [3, new SpillwayError("target_throttled")],
            ]);
            const answers = payloadsOf(batch).filter((_, index) => !unanswered.has(index));
            return { ok: true, answers, unanswered, serviceMs: 5, coldStartMs: 0, cost: 0 };
          },
        }),
      ],
    }));
    for (const id of range(20)) submit(id);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "failed", error: { code: "request_too_large" } });
    for (const id of range(20).filter((each) => each !== 1)) {
      expect(ends.get(id)).toMatchObject({ outcome: "served", answer: id });
    }
    expect(targets[0]?.sent.map(({ payloads }) => payloads.length)).toEqual([20, 1]);
    expect(events.find(({ kind }) => kind === "result")).toMatchObject({
      unanswered: [
        { index: 1, code: "request_too_large", message: "too large alone" },
        { index: 3, code: "target_throttled" },
      ],
    });
  });

  it("is what a target is said to have done that gives the wrong number of answers", () => {
    const { clock, submit, ends, events } = testQueue((virtual) => ({
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch) => ({ ...answered(batch), ok: true, answers: [1], serviceMs: 1, cost: 3 }) as never,
        }),
      ],
      maxAttempts: 1,
    }));
    for (const id of range(20)) submit(id);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({ outcome: "failed", error: { code: "target_fault" } });
    expect(events.find(({ kind }) => kind === "result")).toMatchObject({ ok: false, cost: 3 });
  });
});

describe("owners, targets and policies that misbehave", () => {
  it("tells every owner although one throws, and lets an owner submit from its callback", () => {
    const { clock, queue, submit, ends } = testQueue();
    queue.submit({ payload: 50 }, () => {
      submit(51);
      throw new Error("owner's fault");
    });
    for (const id of range(19)) submit(id);
    expect(() => clock.runAll()).toThrow("owner's fault");
    clock.runAll();
    expect(ends.size).toBe(20);
    expect(queue.counts).toMatchObject({ served: 21, waiting: 0, inFlight: 0 });
  });

  it("takes a result that comes before send has returned, and only the first of two", () => {
    const { clock, queue, submit, ends } = testQueue(() => ({
      targets: [
        {
          name: "hasty",
          kind: "edge",
          maxInFlight: 1,
          assumedLatencyMs: 1,
          send: (batch, done) => {
            done(answered(batch));
            done(answered(batch));
          },
        },
      ],
    }));
    for (const id of range(40)) submit(id);
    clock.runAll();
    expect(ends.size).toBe(40);
    expect(queue.counts).toMatchObject({ served: 40, inFlight: 0 });
  });

  it("catches a policy that waits for the past or sends to a target without room", () => {
    const past = testQueue(() => ({
      policy: { name: "past", decide: ({ nowMs }) => ({ kind: "wait", untilMs: nowMs }) },
    }));
    expect(() => past.submit(0)).toThrow(/policy past waits until 0; now is 0/);
    const full = testQueue(() => ({
      policy: {
        name: "blind",
        decide: () => ({ kind: "dispatch", count: 1, target: 7, plannedRows: 1, reason: "full" }),
      },
    }));
    expect(() => full.submit(0)).toThrow(/policy blind sends to target 7/);
  });
});
