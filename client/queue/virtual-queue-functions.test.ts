/** What the queue does when functions are throttled or broken. */
import { describe, expect, it } from "vitest";
import { eager, failed, wellFrom } from "../../test/support/failing-functions.ts";
import { ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";

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

  it("say what they failed of to those whose deadline comes while they are paused", () => {
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
        message: "Not sent before its deadline: a target was paused (f: CAExited).",
      },
    });
  });
});
