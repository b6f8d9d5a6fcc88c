import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { ScriptedTarget } from "../../test/support/scripted-target.ts";
import { VirtualClock } from "../world/virtual-clock.ts";
import { parseRecord, replayRecord } from "./recorded-run.ts";

const limits = { sloMs: 1_000, maxQueuedRows: 60, maxBytes: 5_000, maxAttempts: 3, seed: 5 };
const policy: QueuePolicy = { name: "fixed", batchRows: [1, 2], timeoutMs: 40 };

/** A record of requests that come in groups, at an edge and at a function that has money for so many calls in 500 ms. */
function recordOf(calls: number, groups: readonly { readonly atMs: number; readonly requests: number }[]) {
  const clock = new VirtualClock();
  let left = calls;
  let untilMs = 0;
  const targets = [
    new ScriptedTarget(clock, { name: "edge", maxInFlight: 1, latencyMs: 700 }),
    new ScriptedTarget(clock, {
      name: "f",
      kind: "serverless",
      refusal: (nowMs) => {
        if (nowMs >= untilMs) [left, untilMs] = [calls, nowMs + 500];
        if (left-- > 0) return undefined;
        return new SpillwayError("spend_cap_reached", "spent", { retryAfterMs: untilMs - nowMs });
      },
    }),
  ];
  let text = "";
  const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
    return { name, kind, maxInFlight, assumedLatencyMs };
  });
  const recorder = new Recorder({ policy, targets: facts, ...limits }, (line) => void (text += line));
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: makePolicy(policy, limits.sloMs, { onPlan: () => {} }),
    targets,
    ...limits,
    observe: (event) => recorder.observe(event),
  });
  for (const { atMs, requests } of groups) {
    clock.advanceTo(atMs);
    for (let id = 0; id < requests; id++) queue.submit({ payload: id }, () => {});
  }
  queue.close();
  clock.runAll();
  return parseRecord(text, "run");
}

it("decides the same where targets refused batches", () => {
  const recorded = recordOf(1, [
    { atMs: 0, requests: 5 },
    { atMs: 90, requests: 3 },
    { atMs: 650, requests: 8 },
  ]);
  expect(recorded.inputs.filter(({ kind }) => kind === "refusal").length).toBeGreaterThan(1);
  expect(replayRecord(recorded)).toEqual(recorded.outputs);
});

it("decides the same where a target took one batch and refused the next of the same event", () => {
  // All leave as the queue closes: the function takes two batches, and refuses the third.
  const recorded = recordOf(2, [{ atMs: 0, requests: 12 }]);
  const refused = recorded.inputs.find(({ kind }) => kind === "refusal");
  const before = recorded.outputs.filter(({ kind, atMs }) => kind === "batch" && atMs === refused?.atMs);
  expect(before.length).toBeGreaterThan(1);
  expect(replayRecord(recorded)).toEqual(recorded.outputs);
});

it("decides otherwise where the refusals are not told", () => {
  const recorded = recordOf(1, [{ atMs: 0, requests: 12 }]);
  const inputs = recorded.inputs.filter(({ kind }) => kind !== "refusal");
  let outputs: unknown;
  try {
    outputs = replayRecord({ ...recorded, inputs });
  } catch {
    // A batch of the record was not formed: a difference, too.
  }
  expect(outputs).not.toEqual(recorded.outputs);
});

it("cannot be read without a header of the format that the queue writes now", () => {
  expect(() => parseRecord('{"kind":"header","format":"spillway-record/1"}', "old.ndjson")).toThrow(
    "old.ndjson:1: format is spillway-record/1; allowed: spillway-record/2",
  );
  expect(() => parseRecord('{"kind":"timer"\n', "cut.ndjson")).toThrow(/^cut\.ndjson:1: /);
});
