/** Where requests may still go that functions failed, denied, or answered in part. */
import { describe, expect, it } from "vitest";
import { eager, failed } from "../../test/support/failing-functions.ts";
import { answered, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { SpillwayError } from "../../base/errors.ts";
import { fixedPolicy } from "../policies/fixed.ts";
import type { Policy } from "../policies/policy.ts";
import { RetryBudget } from "../targets/retry-budget.ts";
import type { BatchResult } from "../targets/target.ts";
import { guardedTarget } from "../transports/guarded-target.ts";

describe("retries of calls of functions", () => {
  it("are at most a fifth of the other calls and ten, and never sent after their deadline", async () => {
    let retries = 0;
    let firsts = 0;
    const requests = 400;
    const { clock, submit, queue, ends } = testQueue((virtual) => {
      const flaky = new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: (batch, nth) => {
          if (batch.isRetry === true) retries++;
          else firsts++;
          // It was sent 10 ms ago.
          expect(virtual.nowMs() - 10).toBeLessThan(batch.deadlineAtMs);
          return nth % 2 === 0 ? failed("target_fault", "boom") : answered(batch);
        },
      });
      return {
        policy: eager,
        sloMs: 200_000,
        targets: [guardedTarget(flaky, new RetryBudget())],
      };
    });
    for (let id = 0; id < requests; id++) submit(id, { sloMs: 100_000 + 500 * id });
    // What is refused here comes back in a microtask: time goes on when those are done.
    while (ends.size < requests) {
      clock.advanceTo(clock.nowMs() + 10);
      await new Promise(setImmediate);
    }
    expect(firsts).toBe(requests);
    expect(retries).toBeGreaterThan(0.2 * requests);
    expect(retries).toBeLessThanOrEqual(10 + 0.2 * requests);
    const { served, failed: lost } = queue.counts;
    expect(served + lost).toBe(requests);
    const refused = [...ends.values()].flatMap((end) =>
      "error" in end && end.error.code === "retry_budget_spent" ? [end.error.message] : [],
    );
    expect(refused.length).toBeGreaterThan(50);
    for (const message of refused) expect(message).toMatch(/^boom; not sent again: /);
  });

  it("are taken by the edge when the budget is spent", async () => {
    const budget = new RetryBudget();
    while (budget.take());
    const { clock, submit, ends } = testQueue((virtual) => {
      const broken = new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: () => failed("target_fault"),
      });
      const edge = new ScriptedTarget(virtual, { name: "edge" });
      return {
        policy: {
          name: "in turn",
          decide: ({ nowMs, targets, batchesFormed }) => {
            const target = batchesFormed === 2 ? 1 : 0;
            const { suspendedUntilMs } = targets[target] ?? { suspendedUntilMs: 0 };
            if (suspendedUntilMs > nowMs) return { kind: "wait", untilMs: suspendedUntilMs };
            return { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full" };
          },
        } satisfies Policy,
        targets: [guardedTarget(broken, budget), edge],
      };
    });
    submit(0);
    clock.advanceTo(200);
    await new Promise(setImmediate);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({ outcome: "served", target: "edge" });
  });
});

/** The edge and functions in turn, as the fixed plan has it, one row a batch. */
const inTurn = fixedPolicy({ batchRows: [1, 1, 1], timeoutMs: 0 });

describe("a request that functions are spared", () => {
  it("waits for an edge that is busy, while others go on to functions", async () => {
    const budget = new RetryBudget();
    while (budget.take());
    const { clock, submit, ends } = testQueue((virtual) => {
      const edge = new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 300 });
      const flaky = new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: (batch, nth) => (nth === 0 ? failed("target_fault") : answered(batch)),
      });
      return { policy: inTurn, targets: [edge, guardedTarget(flaky, budget)] };
    });
    // 0 keeps the edge busy until 300, 1 fails at 10, and until then the function is left alone.
    for (const id of [0, 1]) submit(id);
    clock.advanceTo(150);
    await new Promise(setImmediate);
    submit(2);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "edge", queuedMs: 300 });
    expect(ends.get(2)).toMatchObject({ outcome: "served", target: "f" });
  });

  it("is not given up early at the edge, since nobody else would take it", () => {
    const givenUp: (number | undefined)[] = [];
    const { clock, submit } = testQueue((virtual) => {
      const edge = new ScriptedTarget(virtual, {
        name: "edge",
        answer: (batch) => {
          givenUp.push(batch.giveUpAtMs);
          return answered(batch);
        },
      });
      const denying = new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: () => failed("target_denied"),
      });
      const policy: Policy = {
        name: "functions first",
        decide: ({ targets, nowMs }) => {
          const target = (targets[1]?.suspendedUntilMs ?? 0) > nowMs ? 0 : 1;
          return { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full", giveUpAtMs: 500 };
        },
      };
      return { policy, targets: [edge, denying] };
    });
    for (const id of [0, 1]) submit(id);
    clock.advanceTo(5);
    clock.runAll();
    expect(givenUp).toEqual([undefined, undefined]);
  });
});

describe("a function that denies a call", () => {
  it("is not asked again for the same request, but the others are", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, { name: "a", kind: "serverless", answer: () => failed("target_denied") }),
        new ScriptedTarget(virtual, { name: "b", kind: "serverless", latencyMs: 300, maxInFlight: 1 }),
      ],
    }));
    for (const id of [0, 1, 2]) submit(id);
    clock.runAll();
    for (const id of [0, 1, 2]) expect(ends.get(id)).toMatchObject({ outcome: "served", target: "b" });
    const asked = targets[0]?.sent.flatMap(({ payloads }) => payloads) ?? [];
    expect(asked).toHaveLength(3);
    expect(new Set(asked).size).toBe(3);
  });

  it("is asked once when there is no other target, and the request ends with the reason", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          answer: () => failed("target_denied", "wrong key"),
        }),
      ],
    }));
    submit(0);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({
      outcome: "failed",
      error: { code: "target_denied", message: "wrong key" },
    });
    expect(targets[0]?.sent).toHaveLength(1);
  });
});

describe("a batch of which parts ended differently", () => {
  const wholeLine: Policy = {
    ...eager,
    decide: (view) => {
      const decision = eager.decide(view);
      return decision.kind === "dispatch" ? { ...decision, count: view.line.length } : decision;
    },
  };

  function sentAt(first: (payloads: readonly number[]) => BatchResult<number>) {
    const world = testQueue((virtual) => ({
      policy: wholeLine,
      maxAttempts: 1,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          maxInFlight: 1,
          answer: (batch, nth) => (nth === 0 ? first(batch.payloads) : answered(batch)),
        }),
      ],
    }));
    // While 0 is under way the others come, and leave together at 10.
    for (const id of [0, 1, 2]) world.submit(id);
    world.clock.runAll();
    return { ...world, atMs: world.targets[0]?.sent.map(({ atMs }) => atMs) };
  }

  it("pauses the target when a part was throttled, although another was answered", () => {
    const throttled = new Map([[0, new SpillwayError("target_throttled")]]);
    const partly = sentAt(() => ({ ...answeredBut(throttled), answers: [] }));
    const wholly = sentAt(() => failed("target_throttled"));
    expect(partly.atMs).toEqual(wholly.atMs);
    expect(partly.atMs?.[1]).toBeGreaterThanOrEqual(60);
  });

  it("ends the request that is too large, and keeps for later what this side did not send", () => {
    const { submit, clock, ends, targets, events } = testQueue((virtual) => ({
      policy: wholeLine,
      maxAttempts: 1,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          maxInFlight: 1,
          answer: (batch, nth) => {
            if (nth !== 1) return answered(batch);
            const capped = new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: 50 });
            const unanswered = new Map([
              [0, new SpillwayError("request_too_large", "too large alone")],
              [1, capped],
            ]);
            return { ok: false, error: capped, unanswered };
          },
        }),
      ],
    }));
    for (const id of [0, 1, 2]) submit(id);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "failed", error: { code: "request_too_large" } });
    expect(ends.get(2)).toMatchObject({ outcome: "served" });
    expect(targets[0]?.sent).toEqual([
      { atMs: 0, payloads: [0] },
      { atMs: 10, payloads: [1, 2] },
      { atMs: 70, payloads: [2] },
    ]);
    expect(events.find((event) => event.kind === "result" && !event.ok)).toMatchObject({
      unanswered: [
        { index: 0, code: "request_too_large" },
        { index: 1, retryAfterMs: 50 },
      ],
    });
  });
});

function answeredBut(unanswered: ReadonlyMap<number, SpillwayError>): BatchResult<number> & { ok: true } {
  return { ok: true, answers: [], unanswered, serviceMs: undefined, coldStartMs: 0, cost: 0 };
}
