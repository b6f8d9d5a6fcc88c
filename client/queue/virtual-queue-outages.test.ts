/** Where requests go while a target is gone, refuses, or has too much work, and what their errors say. */
import { describe, expect, it } from "vitest";
import { eager, failed, wellFrom } from "../../test/support/failing-functions.ts";
import { answered, payloadsOf, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Policy } from "../policies/policy.ts";

const minute = 60_000;

describe("a target that is gone for long", () => {
  it.each([
    ["target_unavailable", undefined],
    ["target_throttled", undefined],
    // A connection that was refused cost nothing; one that was reset may be the request's fault.
    ["target_unreachable", 0],
  ] as const)("uses no attempts of a request up (%s), which is served when it is back", (code, cost) => {
    const gone = { ...failed(code), ...(cost === undefined ? {} : { cost }) };
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      sloMs: minute,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch, nth) => (nth < 20 ? gone : answered(batch)),
        }),
      ],
    }));
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served" });
  });

  it("is asked again within 2 s of each failure when it is an edge", () => {
    const { clock, submit, targets } = testQueue((virtual) => ({
      policy: eager,
      sloMs: minute,
      targets: [new ScriptedTarget(virtual, { name: "edge", answer: wellFrom(20, "target_unavailable") })],
    }));
    submit(1);
    clock.runAll();
    const sentAtMs = targets[0]?.sent.map(({ atMs }) => atMs) as number[];
    const gaps = sentAtMs.slice(1).map((atMs, index) => atMs - (sentAtMs[index] as number));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2_010);
  });

  it("is left to others after five failures that may be the request's fault, counted by target", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      sloMs: minute,
      targets: [
        new ScriptedTarget(virtual, { name: "one", answer: () => failed("target_timeout") }),
        new ScriptedTarget(virtual, { name: "two", answer: wellFrom(4, "target_timeout") }),
      ],
    }));
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "two" });
    expect(targets[1]?.sent).toHaveLength(5);
    expect(targets[0]?.sent.length).toBeLessThanOrEqual(5);
  });
});

describe("a target with too much work", () => {
  /** The edge says so to every request but number 2. */
  const busy = (hasFunction: boolean) =>
    testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch) => (payloadsOf(batch).includes(2) ? answered(batch) : failed("overloaded", "full")),
        }),
        ...(hasFunction ? [new ScriptedTarget(virtual, { name: "f", kind: "serverless" })] : []),
      ],
    }));

  it("loses the request to another target, and goes on to serve others after a moment", () => {
    const { clock, submit, ends, targets } = busy(true);
    submit(1);
    clock.advanceTo(15);
    submit(2);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "f", queuedMs: 10 });
    expect(ends.get(2)).toMatchObject({ outcome: "served" });
    expect(targets[0]?.sent).toHaveLength(1);
  });

  it("is asked again when there is no other, and the caller learns why it was not served", () => {
    const { clock, submit, ends, targets } = busy(false);
    submit(1);
    clock.runAll();
    expect((ends.get(1) as { error: Error }).error.message).toContain("full");
    expect(targets[0]?.sent.length).toBeGreaterThan(5);
  });
});

describe("what one target says of a request", () => {
  const twoEdges = (code: ErrorCode) =>
    testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, { name: "one", answer: () => failed(code, "no") }),
        new ScriptedTarget(virtual, { name: "two" }),
      ],
    }));

  it("is final where it holds for all, and else sends the request on", () => {
    const same = twoEdges("request_rejected");
    same.submit(1);
    same.clock.runAll();
    expect(same.ends.get(1)).toMatchObject({ outcome: "failed", error: { message: "no" } });
    const differs = twoEdges("request_rejected");
    differs.submit(1, { isFinalAnywhere: false });
    differs.clock.runAll();
    expect(differs.ends.get(1)).toMatchObject({ outcome: "served", target: "two" });
    expect(differs.events.find(({ kind }) => kind === "arrival")).toMatchObject({ isFinalAnywhere: false });
  });

  it("is not final when it speaks of that target's own limits", () => {
    for (const code of ["request_too_large", "answer_rejected"] as const) {
      const { clock, submit, ends } = twoEdges(code);
      submit(1);
      clock.runAll();
      expect(ends.get(1)).toMatchObject({ outcome: "served", target: "two" });
    }
  });
});

describe("the error of a request that nobody served", () => {
  it("names each target and why not", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 300,
      targets: [
        new ScriptedTarget(virtual, { name: "edge", answer: () => failed("target_unavailable", "starting") }),
        new ScriptedTarget(virtual, {
          name: "small",
          kind: "serverless",
          answer: () => failed("target_denied", "wrong key"),
        }),
      ],
    }));
    submit(1);
    clock.runAll();
    const { message } = (ends.get(1) as { error: Error }).error;
    expect(message).toMatch(/edge: starting \(\d calls\); small: wrong key\.$/);
  });

  it("says to come back later where the policy gave the request up in overload", () => {
    const gaveUp: Policy = {
      name: "full",
      decide: () => ({ kind: "refuse", count: 1, reason: "overloaded" }),
    };
    const { clock, submit, ends } = testQueue(() => ({ policy: gaveUp, sloMs: 700 }));
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({
      outcome: "refused",
      error: { code: "overloaded", retryAfterMs: 700 },
    });
  });
});
