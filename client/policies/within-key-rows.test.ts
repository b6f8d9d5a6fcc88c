/** That batches have the rows that their keys allow, whatever decides about them. */
import { describe, expect, it } from "vitest";
import { answered, ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { tinySheet } from "../../test/support/tiny-world.ts";
import { makePolicy, type QueuePolicy } from "./make-policy.ts";
import { modelOfKey } from "./queue-key.ts";
import { withinKeyRows } from "./within-key-rows.ts";

const times = { requestBytes: 30, maxBatch: 16, serviceMs: { "1": [10], "16": [20] } };
const profiled = {
  replicas: 1,
  link: { rttMs: 0.1, uplinkMbps: 1_000 },
  coldStartMs: [],
  models: { m: times },
};

const spillway: QueuePolicy = {
  name: "spillway",
  sloQuantile: 0.99,
  targets: [
    { ...profiled, name: "edge", kind: "edge" },
    { ...profiled, name: "f", kind: "serverless", vcpu: 1, memoryMib: 1_024 },
  ],
  prices: { ...tinySheet, perCall: 0.001 },
};
const fixed: QueuePolicy = { name: "fixed", batchRows: [20, 2], timeoutMs: 400 };

function world(from: QueuePolicy) {
  return testQueue((clock) => ({
    policy: makePolicy(from, 1_000),
    modelOf: modelOfKey,
    targets: [
      new ScriptedTarget(clock, { name: "edge", maxInFlight: 4, answer: answered }),
      new ScriptedTarget(clock, { name: "f", kind: "serverless" }),
    ],
  }));
}

describe.each([
  ["spillway", spillway],
  ["fixed", fixed],
] as const)("the plan %s", (_, from) => {
  it.each([1, 3, 4])("sends at most %i rows of a key that allows no more, and all of them", (mostRows) => {
    const { clock, submit, batches, ends } = world(from);
    for (let id = 0; id < 40; id++) {
      if (id % 8 === 0) clock.advanceTo(2 * id);
      submit(id, { key: `m@${mostRows} []` });
    }
    clock.runAll();
    expect([...ends.values()].filter(({ outcome }) => outcome === "served")).toHaveLength(40);
    expect(Math.max(...batches().map(({ rows }) => rows))).toBe(mostRows);
    if (from === spillway && mostRows > 1) return;
    expect(batches().every(({ reason }) => reason === "full" || reason === "deadline")).toBe(true);
  });

  it("sends a request at once that goes alone in any case", () => {
    const { clock, submit, ends, batches } = world(from);
    submit(1, { key: "m@1" });
    expect(batches()).toMatchObject([{ atMs: 0, rows: 1, plannedRows: 1, reason: "full" }]);
    clock.runAll();
    expect(ends.get(1)).toMatchObject({ outcome: "served", queuedMs: 0 });
  });

  it("sends a request alone that has more rows by itself", () => {
    const { clock, submit, ends, batches } = world(from);
    for (const id of [1, 2]) submit(id, { key: "m@4 []", rows: 9 });
    clock.runAll();
    expect(ends.size).toBe(2);
    expect(batches().map(({ rows }) => rows)).toEqual([9, 9]);
  });
});

it("cuts what a policy decides that knows of no limit", () => {
  const { submit, batches } = testQueue(() => ({
    policy: withinKeyRows({
      name: "hoards",
      decide: ({ line }) =>
        line.length < 6
          ? { kind: "wait", untilMs: Infinity }
          : { kind: "dispatch", first: 1, count: 5, target: 0, plannedRows: 5, reason: "full" },
    }),
  }));
  for (const [id, rows] of [1, 2, 2, 1, 1, 1].entries()) submit(id, { key: "m@4 []", rows });
  expect(batches()).toMatchObject([{ rows: 4, requests: [1, 2] }]);
});
