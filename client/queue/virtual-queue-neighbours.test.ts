/** Which failures are a request's own, where it may go then, and that nobody else waits for its sake. */
import { describe, expect, it } from "vitest";
import { eager, failed } from "../../test/support/failing-functions.ts";
import { answered, payloadsOf, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { BatchResult, OutgoingBatch } from "../targets/target.ts";

const poison = 666;

function spoilt(batch: OutgoingBatch<number>): BatchResult<number> {
  return payloadsOf(batch).includes(poison) ? failed("target_fault", "boom") : answered(batch);
}

/** Targets that fail the poison, one request a call; `names` that begin with f are functions. */
function worldOf(...names: string[]) {
  return testQueue((clock) => ({
    policy: eager,
    modelOf: (key) => key,
    targets: names.map(
      (name) =>
        new ScriptedTarget(clock, {
          name,
          kind: name.startsWith("f") ? "serverless" : "edge",
          maxInFlight: 1,
          answer: spoilt,
        }),
    ),
  }));
}

describe("a request that fails alone where its model answers others", () => {
  it("is tried once more there and ends with its own error, without a call of functions", () => {
    const { clock, submit, ends, targets } = worldOf("edge", "f");
    submit(1);
    clock.advanceTo(20);
    submit(poison);
    clock.runAll();
    expect(ends.get(poison)).toMatchObject({
      outcome: "failed",
      error: { code: "target_fault", message: "boom" },
    });
    expect(targets[0]?.sent).toEqual([
      { atMs: 0, payloads: [1] },
      { atMs: 20, payloads: [poison] },
      { atMs: 30, payloads: [poison] },
    ]);
    expect(targets[1]?.sent).toEqual([]);
  });

  it("delays nobody", () => {
    const { clock, queue, submit, ends } = worldOf("edge");
    for (let id = 0; id < 100; id++) {
      clock.advanceTo(40 * id);
      submit(id, { key: "m" });
      if (id % 10 === 5) queue.submit({ payload: poison, key: "m" }, () => {});
    }
    clock.runAll();
    for (const end of ends.values()) expect(end).toMatchObject({ outcome: "served", queuedMs: 0 });
  });

  it("may be served by the second look, since some failures pass", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch, nth) => (nth === 1 ? failed("target_fault") : answered(batch)),
        }),
      ],
    }));
    submit(1);
    clock.advanceTo(20);
    submit(2);
    clock.runAll();
    expect(ends.get(2)).toMatchObject({ outcome: "served", target: "edge", queuedMs: 10 });
  });

  it("goes to functions after all when it turns out that the model fails there for others too", () => {
    let isBroken = false;
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          maxInFlight: 2,
          answer: (batch) => (isBroken ? failed("target_fault") : answered(batch)),
        }),
        new ScriptedTarget(virtual, { name: "f", kind: "serverless" }),
      ],
    }));
    submit(1);
    clock.advanceTo(20);
    isBroken = true;
    submit(2);
    submit(3);
    clock.runAll();
    for (const id of [2, 3]) expect(ends.get(id)).toMatchObject({ outcome: "served", target: "f" });
  });
});

it("tries another target when the model has answered nobody there", () => {
  const { clock, submit, ends, targets } = testQueue((virtual) => ({
    policy: eager,
    targets: [
      new ScriptedTarget(virtual, { name: "edge", answer: () => failed("target_fault") }),
      new ScriptedTarget(virtual, { name: "f", kind: "serverless" }),
    ],
  }));
  submit(1);
  clock.runAll();
  expect(ends.get(1)).toMatchObject({ outcome: "served", target: "f" });
  expect(targets[0]?.sent).toHaveLength(1);
});

it("does not go on with a model that fails everybody at all targets, and tries again after a while", () => {
  const world = worldOf("edge", "f");
  const paidAfter: number[] = [];
  const errors: string[] = [];
  for (let second = 0; second < 40; second++) {
    world.clock.advanceTo(1_000 * second);
    world.queue.submit({ payload: poison }, (end) => {
      if ("error" in end) errors.push(end.error.message);
    });
    paidAfter.push(world.targets[1]?.sent.length ?? 0);
  }
  world.clock.runAll();
  expect(errors).toHaveLength(40);
  const [early, late] = [paidAfter[10] as number, paidAfter[39] as number];
  expect(late - early).toBeLessThan(15);
  expect(late).toBeGreaterThan(early);
});

describe("requests that fail for want of memory", () => {
  it("go to where there may be more, and not back while there is another target", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch) => (payloadsOf(batch).includes(7) ? failed("out_of_memory") : answered(batch)),
        }),
        new ScriptedTarget(virtual, { name: "f", kind: "serverless", latencyMs: 50 }),
      ],
    }));
    submit(1);
    clock.advanceTo(20);
    submit(7);
    clock.runAll();
    expect(ends.get(7)).toMatchObject({ outcome: "served", target: "f" });
    expect(targets[0]?.sent).toHaveLength(2);
  });

  it("are tried again after a pause where there is no other target", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch, nth) => (nth < 2 ? failed("out_of_memory") : answered(batch)),
        }),
      ],
    }));
    submit(7);
    clock.runAll();
    expect(ends.get(7)).toMatchObject({ outcome: "served" });
    expect(targets[0]?.sent.map(({ atMs }) => atMs)).toEqual([0, 110, 320]);
  });
});

it("ends a request that its target failed alone while it answered the rest of the batch", () => {
  const { clock, submit, ends, targets } = testQueue((virtual) => ({
    targets: [
      new ScriptedTarget(virtual, {
        name: "edge",
        answer: (batch) => {
          const unanswered = new Map([[1, new SpillwayError("target_fault", "boom")]]);
          const answers = payloadsOf(batch).filter((_, index) => index !== 1);
          return { ok: true, answers, unanswered, serviceMs: undefined, coldStartMs: 0, cost: 0 };
        },
      }),
    ],
  }));
  for (let id = 0; id < 20; id++) submit(id);
  clock.runAll();
  expect(ends.get(1)).toMatchObject({ outcome: "failed", error: { message: "boom" } });
  expect(targets[0]?.sent).toHaveLength(1);
});

it("tells a caller that waited in vain for a model that others' calls failed, not what was in them", () => {
  const { clock, queue, submit, ends } = worldOf("edge");
  for (let nth = 0; nth < 3; nth++) {
    clock.advanceTo(20 * nth);
    queue.submit({ payload: poison, key: "m", sloMs: 15 }, () => {});
    clock.advanceTo(20 * nth + 19);
  }
  submit(1, { key: "m", sloMs: 20 });
  clock.runAll();
  expect(ends.get(1)).toMatchObject({
    outcome: "refused",
    error: {
      code: "deadline_passed",
      message: "Not sent before its deadline: a target was paused (calls of its model failed there).",
    },
  });
});

describe("a model that a target does not know", () => {
  it("is served by another target that has it, without a pause", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, { name: "one", answer: () => failed("model_not_found", "no model") }),
        new ScriptedTarget(virtual, { name: "f", kind: "serverless" }),
      ],
    }));
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served", target: "f", queuedMs: 10 });
  });

  it("is not found when no target has it, after one question to each", () => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, { name: "one", answer: () => failed("model_not_found", "no model") }),
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          answer: () => failed("model_not_found", "none here"),
        }),
      ],
    }));
    submit(1);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({
      outcome: "failed",
      error: { code: "model_not_found", message: "none here. one: no model; f: none here." },
    });
    expect(targets.map(({ sent }) => sent.length)).toEqual([1, 1]);
  });
});

it.each(["target_timeout", "target_unreachable", "target_broken"] as const)(
  "parts from its company a request with which calls end in %s again and again",
  (code) => {
    const { clock, submit, ends, targets } = testQueue((virtual) => ({
      sloMs: 60_000,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          answer: (batch) => (payloadsOf(batch).includes(poison) ? failed(code) : answered(batch)),
        }),
      ],
    }));
    for (let id = 0; id < 16; id++) submit(id === 11 ? poison : id);
    clock.runAll();
    expect(ends.get(poison)).toMatchObject({ outcome: "failed", error: { code } });
    for (const [id, end] of ends)
      if (id !== poison) expect(end).toMatchObject({ outcome: "served", answer: id });
    const withPoison = targets[0]?.sent.filter(({ payloads }) => payloads.includes(poison)) ?? [];
    expect(withPoison.map(({ payloads }) => payloads.length)).toEqual([16, 16, 4, 1, 1]);
  },
);
