/** Where requests may still go that functions failed, denied, or answered in part. */
import { describe, expect, it } from "vitest";
import { eager, failed } from "../../test/support/failing-functions.ts";
import { answered, payloadsOf, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { Policy } from "../policies/policy.ts";
import type { End } from "./request.ts";
import type { BatchResult, TargetKind } from "../targets/target.ts";
import { hasRoom, readyAtMs, type TargetView } from "../targets/target-view.ts";

/** Functions first, and an edge for what may not go there; waits for a function that is paused. */
const functionsFirst: Policy = {
  name: "functions first",
  decide: ({ nowMs, line, targets }) => {
    const healths = targets.map((target) => target.health(nowMs).kind);
    const isAllowed = (kind: TargetKind): boolean =>
      targets.some((target, index) => target.kind === kind && healths[index] !== "excluded");
    const wanted = isAllowed("serverless") ? "serverless" : "edge";
    const target = targets.findIndex((each) => each.kind === wanted && hasRoom(each, nowMs));
    if (target !== -1)
      return { kind: "dispatch", count: line.length, target, plannedRows: line.length, reason: "full" };
    const resumeMs = targets.map((each) => readyAtMs(each.health(nowMs))).filter((atMs) => atMs > nowMs);
    return { kind: "wait", untilMs: Math.min(Infinity, ...resumeMs) };
  },
};

const budgetAtStart = 10;

function queuedMsOf(end: End<number> | undefined): number | undefined {
  return end !== undefined && "queuedMs" in end ? end.queuedMs : undefined;
}

/**
 * A queue whose retry budget is spent: request 99 was sent to the function once and again until the budget was spent,
 * and has just left for the edge, which is busy with it for 300 ms.
 *
 * @param answers of the function's next calls; it answers all further ones
 */
function withSpentBudget(answers: readonly BatchResult<number>["ok"][]) {
  const world = testQueue((virtual) => ({
    policy: functionsFirst,
    sloMs: 1_000_000,
    maxAttempts: 100,
    targets: [
      new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 300 }),
      new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: (batch, nth) =>
          nth <= budgetAtStart || answers[nth - budgetAtStart - 1] === false
            ? failed("target_unavailable", "boom")
            : answered(batch),
      }),
    ],
  }));
  const { clock, submit, events, targets } = world;
  submit(99);
  const barredAtMs = (): number | undefined => events.find(({ kind }) => kind === "barred")?.atMs;
  while (barredAtMs() === undefined) clock.advanceTo(clock.nowMs() + 1);
  const spentAtMs = barredAtMs() as number;
  expect(targets[1]?.sent).toHaveLength(1 + budgetAtStart);
  expect(targets[0]?.sent).toEqual([{ atMs: spentAtMs, payloads: [99] }]);
  return { ...world, spentAtMs };
}

describe("retries of calls of functions", () => {
  it("are at most a fifth of the other calls and ten, and never sent after their deadline", () => {
    let retries = 0;
    let firsts = 0;
    const requests = 400;
    const { clock, submit, queue, ends, events } = testQueue((virtual) => {
      const seen = new Set<number>();
      const flaky = new ScriptedTarget(virtual, {
        name: "f",
        kind: "serverless",
        answer: (batch, nth) => {
          const [id] = payloadsOf(batch) as [number];
          if (seen.has(id)) retries++;
          else firsts++;
          seen.add(id);
          expect(retries).toBeLessThanOrEqual(budgetAtStart + 0.2 * firsts);
          // It was sent 10 ms ago.
          expect(virtual.nowMs() - 10).toBeLessThan(batch.deadlineAtMs);
          return nth % 2 === 0 ? failed("target_fault", "boom") : answered(batch);
        },
      });
      return { policy: eager, sloMs: 200_000, targets: [flaky] };
    });
    for (let id = 0; id < requests; id++) submit(id, { sloMs: 100_000 + 500 * id });
    clock.runAll();
    expect(ends.size).toBe(requests);
    expect(firsts).toBe(requests);
    expect(retries).toBeGreaterThan(0.2 * requests);
    const { served, failed: lost } = queue.counts;
    expect(served + lost).toBe(requests);
    const refused = [...ends.values()].flatMap((end) =>
      "error" in end && end.error.code === "retry_budget_spent" ? [end.error.message] : [],
    );
    expect(refused.length).toBeGreaterThan(50);
    for (const message of refused) expect(message).toMatch(/^boom; not sent again: /);
    expect(events.filter(({ kind }) => kind === "barred")).toHaveLength(refused.length);
  });

  it("go to edges only when the budget is spent, and the queue says so", () => {
    const { clock, ends, events, spentAtMs } = withSpentBudget([]);
    clock.runAll();
    expect(events.filter(({ kind }) => kind === "barred")).toEqual([
      { kind: "barred", id: 0, atMs: spentAtMs, code: "retry_budget_spent" },
    ]);
    expect(ends.get(99)).toMatchObject({ outcome: "served", target: "edge", queuedMs: spentAtMs });
  });

  it("do not need a budget at edges", () => {
    const { clock, submit, targets, ends, events } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 1_000_000,
      maxAttempts: 100,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch, nth) => (nth < 50 ? failed("target_fault") : answered(batch)),
        }),
      ],
    }));
    submit(0);
    clock.runAll();
    expect(targets[0]?.sent).toHaveLength(51);
    expect(ends.get(0)).toMatchObject({ outcome: "served" });
    expect(events.filter(({ kind }) => kind === "barred")).toEqual([]);
  });
});

describe("a request that may no longer go to functions", () => {
  it("waits for an edge that is busy, while others go on to functions", () => {
    const { clock, submit, ends, spentAtMs } = withSpentBudget([true, false]);
    // The function is well again with 0, and fails 1.
    submit(0);
    clock.advanceTo(spentAtMs + 15);
    submit(1);
    clock.advanceTo(spentAtMs + 150);
    submit(2);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({ outcome: "served", target: "f" });
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "edge" });
    expect(queuedMsOf(ends.get(1))).toBeCloseTo(300 - 15, 6);
    expect(ends.get(2)).toMatchObject({ outcome: "served", target: "f", queuedMs: 0 });
  });

  it("leaves those behind that only shared its batch: they still go to functions", () => {
    const { clock, submit, ends, events, targets, spentAtMs } = withSpentBudget([true, false]);
    submit(0);
    clock.advanceTo(spentAtMs + 15);
    submit(1);
    // The function failed 1 and is paused for 50 to 100 ms; 2 waits with 1 for its end, and would leave with it.
    clock.advanceTo(spentAtMs + 40);
    submit(2);
    clock.runAll();
    expect(events.filter((event) => event.kind === "barred").map(({ id }) => id)).toEqual([0, 2]);
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "edge" });
    expect(ends.get(2)).toMatchObject({ outcome: "served", target: "f" });
    const barredAtMs = events.findLast(({ kind }) => kind === "barred")?.atMs as number;
    expect(targets[1]?.sent.at(-1)).toEqual({ atMs: barredAtMs, payloads: [2] });
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
          const target = readyAtMs((targets[1] as TargetView).health(nowMs)) > nowMs ? 0 : 1;
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
          answer: (batch, nth) => (nth === 0 ? first(payloadsOf(batch)) : answered(batch)),
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

  it("ends the request that is too large, and sends the one again that there was no money for", () => {
    const { submit, clock, ends, targets, events } = testQueue((virtual) => ({
      policy: wholeLine,
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
    expect(targets[0]?.sent.map(({ payloads }) => payloads)).toEqual([[0], [1, 2], [2]]);
    // It failed at 20, and its target was paused as after any failure.
    expect(targets[0]?.sent[2]?.atMs).toBeGreaterThanOrEqual(70);
    expect(targets[0]?.sent[2]?.atMs).toBeLessThanOrEqual(120);
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
