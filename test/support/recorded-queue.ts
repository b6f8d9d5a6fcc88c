/** Records of small runs of a real queue, as a daemon writes them. */
import { SpillwayError } from "../../base/errors.ts";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target } from "../../client/targets/target.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { tinySheet } from "./tiny-world.ts";

/** Bounds of the queue. */
const limits = { sloMs: 100, maxQueuedRows: 8, maxBytes: 5_000, maxAttempts: 3, seed: 5 };
/** A policy without plans: two rows, or 20 ms. */
export const fixed: QueuePolicy = { name: "fixed", batchRows: [2, 2], timeoutMs: 20 };

const times = { requestBytes: 30, maxBatch: 4, serviceMs: { "1": [10], "4": [16] } };
const profiled = { replicas: 1, link: { rttMs: 1, uplinkMbps: 100 }, coldStartMs: [], models: { m: times } };
/** Plans for an edge and a function that are about as fast as they were measured. */
export const spillway: QueuePolicy = {
  name: "spillway",
  sloQuantile: 0.99,
  targets: [
    { ...profiled, name: "edge", kind: "edge" },
    { ...profiled, name: "small", kind: "serverless", vcpu: 1, memoryMib: 1_024 },
  ],
  prices: { ...tinySheet, perCall: 0.001 },
};

/**
 * The record of a queue on a virtual clock, from its second 7 on.
 *
 * @param momentsMs when a request arrives, one row each
 * @param failing ids of batches that fail
 */
export function recordOf(
  policy: QueuePolicy,
  momentsMs: readonly number[],
  failing: readonly number[] = [],
): string {
  const clock = new VirtualClock();
  let text = "";
  const targets = (["edge", "serverless"] as const).map((kind): Target<number, number> => {
    return {
      name: kind === "edge" ? "edge" : "small",
      kind,
      maxInFlight: 1,
      assumedLatencyMs: 10,
      send: ({ id, parts }, done) =>
        clock.schedule(clock.nowMs() + 10, () => {
          if (failing.includes(id)) done({ ok: false, error: new SpillwayError("target_unavailable") });
          else
            done({
              ok: true,
              answers: parts.map(({ payload }) => payload),
              serviceMs: 8,
              coldStartMs: 0,
              cost: 0,
            });
        }),
    };
  });
  const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
    return { name, kind, maxInFlight, assumedLatencyMs };
  });
  const recorder = new Recorder({ policy, targets: facts, ...limits }, (line) => (text += line));
  const made = makePolicy(policy, limits.sloMs, {
    onPlan: (key, change) => recorder.observe({ kind: "plan", key, ...change }),
  });
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: made,
    targets,
    ...limits,
    observe: (event) => recorder.observe(event),
  });
  for (const [id, atMs] of momentsMs.entries()) {
    clock.advanceTo(7_000 + atMs);
    queue.submit({ payload: id, key: "m []", bytes: 30 }, () => {});
  }
  queue.close();
  clock.runAll();
  return text;
}
