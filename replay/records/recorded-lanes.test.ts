import fc from "fast-check";
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy } from "../../client/policies/make-policy.ts";
import type { PlanChange } from "../../client/policies/policy-inputs.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { BatchResult, OutgoingBatch, Target } from "../../client/targets/target.ts";
import { spillway } from "../../test/support/recorded-queue.ts";
import { VirtualClock } from "../world/virtual-clock.ts";
import { checkRecord } from "./check-record.ts";
import { parseRecord, replayRecord } from "./recorded-run.ts";
import { recordedWorld } from "./recorded-world.ts";

const lanes = {
  quick: { sloMs: 60, sloQuantile: 0.999, leastShare: 0.3 },
  bulk: { sloMs: 3_000, maxRows: 40, mostShare: 0.5 },
};
const limits = { sloMs: 200, maxQueuedRows: 200, maxBytes: 5_000, maxAttempts: 3, seed: 5, lanes };

interface Submitted {
  readonly rows: number;
  readonly afterMs: number;
  readonly lane: string;
  readonly tenant: string;
  readonly isSplittable: boolean;
  readonly cancelAfterMs: number | undefined;
}

function recordOf(requests: readonly Submitted[], seed: number): string {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const answer = ({ parts }: OutgoingBatch<number>): BatchResult<number> => {
    if (random() < 0.15) return { ok: false, error: new SpillwayError("target_unavailable") };
    const index = random() < 0.2 ? Math.floor(random() * parts.length) : -1;
    const unanswered = new Map(index === -1 ? [] : [[index, new SpillwayError("request_rejected")]]);
    const answers = parts.flatMap(({ payload }, at) => (at === index ? [] : [payload]));
    if (answers.length === 0) return { ok: false, error: new SpillwayError("request_rejected") };
    return { ok: true, answers, unanswered, serviceMs: 8, coldStartMs: 0, cost: 0 };
  };
  const targets = (["edge", "serverless"] as const).map((kind): Target<number, number> => {
    return {
      name: kind === "edge" ? "edge" : "small",
      kind,
      maxInFlight: kind === "edge" ? 2 : 5,
      assumedLatencyMs: 10,
      send: (batch, done) =>
        clock.schedule(clock.nowMs() + 5 + Math.floor(random() * 20), () => done(answer(batch))),
    };
  });
  let text = "";
  const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
    return { name, kind, maxInFlight, assumedLatencyMs };
  });
  const recorder = new Recorder({ policy: spillway, targets: facts, ...limits }, (line) => (text += line));
  const onPlan = (key: string, change: PlanChange) => recorder.observe({ kind: "plan", key, ...change });
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: makePolicy(spillway, limits.sloMs, { onPlan }),
    targets,
    modelOf: () => "m",
    ...limits,
    joinAnswers: (payload) => payload,
    observe: (event) => recorder.observe(event),
  });
  let atMs = 7_000;
  for (const [payload, { afterMs, cancelAfterMs, ...submission }] of requests.entries()) {
    atMs += afterMs;
    clock.schedule(atMs, () => {
      const ticket = queue.submit({ payload, key: "m []", bytes: 30, ...submission }, () => {});
      if (cancelAfterMs !== undefined)
        clock.schedule(clock.nowMs() + cancelAfterMs, () => queue.cancel(ticket));
    });
  }
  clock.runAll();
  queue.close();
  clock.runAll();
  return text;
}

const request = fc.record({
  rows: fc.integer({ min: 1, max: 4 }).chain((few) => fc.constantFrom(few, 8 * few)),
  afterMs: fc.nat(30),
  lane: fc.constantFrom("", "quick", "bulk"),
  tenant: fc.constantFrom("", "a", "b"),
  isSplittable: fc.boolean(),
  cancelAfterMs: fc.option(fc.nat(100), { nil: undefined, freq: 5 }),
});

it("decides the same with lanes, tenants and split requests, whatever fails or is cancelled", () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 30 }), fc.nat(), (requests, seed) => {
      const recorded = parseRecord(recordOf(requests, seed), "run");
      expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
    }),
    { numRuns: 60 },
  );
});

it("makes a world in which the lanes are as they were", () => {
  const some = { afterMs: 5, tenant: "", isSplittable: true, cancelAfterMs: undefined };
  const requests = [
    { ...some, rows: 9, lane: "bulk" },
    { ...some, rows: 1, lane: "quick" },
    { ...some, rows: 1, lane: "" },
  ];
  const { scenario } = recordedWorld(parseRecord(recordOf(requests, 1), "run"), "run");
  expect(scenario.lanes).toEqual({
    quick: { sloMs: 60, sloQuantile: 0.999 },
    bulk: { sloMs: 3_000, sloQuantile: 0.99 },
  });
});

it("tells of a request that was split each decision once, and the answers to all its batches", () => {
  const bulk = { lane: "bulk", tenant: "", isSplittable: true, cancelAfterMs: undefined };
  const run = parseRecord(recordOf([{ ...bulk, rows: 24, afterMs: 0 }], 2), "r.ndjson");
  const [story] = checkRecord(run, [0]).stories;
  const steps = story?.steps ?? [];
  const asked = steps.filter((step) => step.kind === "asked");
  expect(asked[0]?.line).toMatchObject({ requests: 1, rows: 24, ahead: 0 });
  expect(new Set(asked.map((step) => JSON.stringify(step))).size).toBe(asked.length);
  const count = (kind: string): number => steps.filter((step) => step.kind === kind).length;
  expect(count("batch")).toBeGreaterThan(1);
  expect(count("result")).toBe(count("batch"));
});
