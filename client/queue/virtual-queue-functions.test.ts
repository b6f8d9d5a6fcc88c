/** What the queue does when functions are throttled, broken, or not called by this side. */
import { describe, expect, it } from "vitest";
import { eager, failed, wellFrom } from "../../test/support/failing-functions.ts";
import { answered, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";

describe("functions that fail", () => {
  it("are tried again with one call, and with half of what was under way once it is answered", () => {
    const { clock, submit, targets, queue } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 10_000,
      targets: [
        new ScriptedTarget(virtual, {
          name: "small",
          kind: "serverless",
          maxInFlight: 16,
          answer: wellFrom(16, "target_throttled"),
        }),
      ],
    }));
    for (let id = 0; id < 40; id++) submit(id);
    clock.runAll();
    const calls = new Map<number, number>();
    for (const { atMs } of targets[0]?.sent ?? []) calls.set(atMs, (calls.get(atMs) ?? 0) + 1);
    expect([...calls.values()].slice(0, 3)).toEqual([16, 1, 8]);
    expect(queue.counts).toMatchObject({ served: 40, failed: 0 });
  });

  it("pause for times that the queue's seed decides", () => {
    const sentAt = (seed: number): number[] => {
      const { clock, submit, targets } = testQueue((virtual) => ({
        policy: eager,
        seed,
        targets: [
          new ScriptedTarget(virtual, { name: "f", kind: "serverless", answer: wellFrom(4, "target_fault") }),
        ],
      }));
      submit(0);
      clock.runAll();
      return targets[0]?.sent.map(({ atMs }) => atMs) ?? [];
    };
    expect(sentAt(1)).toEqual(sentAt(1));
    expect(sentAt(1)).not.toEqual(sentAt(2));
    expect(sentAt(1)[1]).toBeGreaterThanOrEqual(60);
    expect(sentAt(1)[1]).toBeLessThanOrEqual(110);
  });

  it("say what they failed of to those whose deadline comes while they are left alone", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 40,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          maxInFlight: 1,
          answer: () => failed("target_broken", "f: CAExited"),
        }),
      ],
    }));
    submit(0);
    submit(1);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({
      outcome: "refused",
      error: {
        code: "deadline_passed",
        message: "Sent once and failed (f: CAExited); its deadline came before another try.",
      },
    });
    expect(ends.get(1)).toMatchObject({
      error: {
        code: "deadline_passed",
        message: "Not sent before its deadline: a target was left alone (f: CAExited).",
      },
    });
  });
});

describe("a call that this side does not send", () => {
  it("uses up no attempt, and leaves functions alone for as long as it says, while the edge goes on", () => {
    const { clock, submit, targets, ends, queue } = testQueue((virtual) => ({
      policy: eager,
      maxAttempts: 1,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          answer: (batch, nth) => (nth < 6 ? failed("spend_cap_reached", "spent", 100) : answered(batch)),
          maxInFlight: 1,
        }),
        new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 300 }),
      ],
    }));
    for (let id = 0; id < 3; id++) submit(id);
    clock.runAll();
    expect(targets[0]?.sent.map(({ atMs }) => atMs).slice(0, 4)).toEqual([0, 110, 220, 330]);
    expect(queue.counts).toMatchObject({ served: 3, failed: 0, refused: 0 });
    expect([...ends.values()].map((end) => "target" in end && end.target)).toContain("edge");
  });

  it("ends a request that nobody else could take with the reason, and says when to come back", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 50,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          maxInFlight: 1,
          answer: () => failed("target_unreachable", "edge: ECONNREFUSED"),
        }),
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          maxInFlight: 1,
          answer: () => failed("spend_cap_reached", "no money", 9_000),
        }),
      ],
    }));
    for (const id of [0, 1, 2]) submit(id);
    clock.runAll();
    for (const id of [1, 2]) {
      expect(ends.get(id)).toMatchObject({
        outcome: "refused",
        error: { code: "spend_cap_reached", message: "no money", retryAfterMs: 9_000, status: 503 },
      });
    }
  });
});
