// @module-tag slow
import { expect, it } from "vitest";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target } from "../../client/targets/target.ts";
import { spillway } from "../../test/support/recorded-queue.ts";
import { VirtualClock } from "../world/virtual-clock.ts";
import { checkRecord } from "./check-record.ts";
import { parseRecord, type RecordedRun, replayRecord } from "./recorded-run.ts";

const limits = { sloMs: 100, maxQueuedRows: 1_000, maxBytes: 50_000, maxAttempts: 3, seed: 5 };

/** Takes as long as was measured: 10 ms for a row, 2 for each further one, and 1 on the way. */
function targetOf(clock: VirtualClock, name: string, kind: Target<number, number>["kind"]) {
  const target: Target<number, number> = {
    name,
    kind,
    maxInFlight: kind === "edge" ? 1 : 20,
    assumedLatencyMs: 10,
    send: ({ parts, rows }, done) => {
      const serviceMs = 8 + 2 * rows;
      const answers = parts.map(({ payload }) => payload);
      const result = { ok: true, answers, serviceMs, serverQueuedMs: 0, coldStartMs: 0, cost: 0 } as const;
      clock.schedule(clock.nowMs() + serviceMs + 1, () => done(result));
    },
  };
  return target;
}

/** Of a queue that gets a request, and after two minutes more than its edge can take, for some seconds. */
function recordWith(policy: QueuePolicy): RecordedRun {
  const clock = new VirtualClock();
  let text = "";
  const targets = [targetOf(clock, "edge", "edge"), targetOf(clock, "small", "serverless")];
  const recorder = new Recorder({ policy, targets, ...limits }, (line) => void (text += line));
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: makePolicy(policy, limits.sloMs, {
      onPlan: (key, change) => recorder.observe({ kind: "plan", key, ...change }),
    }),
    targets,
    ...limits,
    observe: (event) => recorder.observe(event),
  });
  for (let id = 0; id < 800; id++) {
    clock.advanceTo(id === 0 ? 0 : 120_000 + 3 * id + (id % 7));
    queue.submit({ payload: id, key: "m []", bytes: 30 }, () => {});
  }
  queue.close();
  clock.runAll();
  return parseRecord(text, "run");
}

it("decides the same where requests were late on purpose, and tells of them", () => {
  const recorded = recordWith({ ...spillway, sloQuantile: 0.9, spendAllowanceMs: 10_000 } as QueuePolicy);
  const postponed = recorded.outputs.flatMap((each) => (each.kind === "postponed" ? [each.id] : []));
  expect(postponed.length).toBeGreaterThan(5);
  expect(replayRecord(recorded)).toEqual(recorded.outputs);
  const { difference, stories } = checkRecord(recorded, postponed.slice(0, 1));
  expect(difference).toBeUndefined();
  const kinds = stories[0]?.steps.map((step) => (step.kind === "asked" ? step.decision.kind : step.kind));
  expect(kinds).toContain("postpone");
  expect(kinds).toContain("postponed");
});

it("decides otherwise without the option of the header", () => {
  const { header, inputs, outputs } = recordWith({
    ...spillway,
    sloQuantile: 0.9,
    spendAllowanceMs: 10_000,
  } as QueuePolicy);
  let now: unknown;
  try {
    now = replayRecord({
      header: { ...header, policy: { ...spillway, sloQuantile: 0.9 } as QueuePolicy },
      inputs,
    });
  } catch {
    // A batch of the record was not formed: a difference, too.
  }
  expect(now).not.toEqual(outputs);
});
