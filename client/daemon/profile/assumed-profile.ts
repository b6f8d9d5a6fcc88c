/**
 * What is assumed of targets that were not measured: a place to start from that the policy corrects by what it sees.
 * It errs on the slow side, which costs some money and no deadline.
 */
import type { MenuFunction } from "../../../serverless/prices/function-menu.ts";
import type { ModelTimes, Profile, ProfiledTarget } from "../../policies/profile.ts";

/** A batch of 1 and of 16 rows on one core, in milliseconds. */
const assumedMs = { 1: 50, 16: 650 };
const assumedRequestBytes = 100_000;

/** The targets of a queue, in its order: what they are, not how fast. */
export interface QueueTargets {
  readonly functions: readonly MenuFunction[];
  /** Most calls of a function at once. */
  readonly functionCalls: number;
}

/**
 * The edge and then every function, each with what was measured of it; models of which nothing was are left open.
 *
 * @example
 * const functions = [{ name: "small", vcpu: 0.5, memoryMib: 1024 }];
 * unmeasured({ functions, functionCalls: 32 }).targets.map(({ name }) => name); // ["edge", "small"]
 */
export function unmeasured({ functions, functionCalls }: QueueTargets): Profile {
  const edge: ProfiledTarget = {
    name: "edge",
    kind: "edge",
    replicas: 1,
    link: { rttMs: 2, uplinkMbps: 100 },
    coldStartMs: [],
    models: {},
  };
  const sizes = functions.map(({ name, vcpu, memoryMib }): ProfiledTarget => {
    const link = { rttMs: 40, uplinkMbps: 20 };
    const kind = "serverless";
    return { name, kind, vcpu, memoryMib, replicas: functionCalls, link, coldStartMs: [], models: {} };
  });
  return { format: "spillway-profile/1", targets: [edge, ...sizes] };
}

/**
 * Times of a model on a target for which there are none: a function with less than one core is as much slower.
 *
 * @example
 * assumedTimes(edge).serviceMs; // { "1": [50], "16": [650] }
 */
export function assumedTimes(target: ProfiledTarget): ModelTimes {
  const slowness = target.kind === "edge" ? 1 : 1 / Math.min(1, target.vcpu);
  const serviceMs = Object.fromEntries(
    Object.entries(assumedMs).map(([rows, ms]) => [rows, [ms * slowness]]),
  );
  return { requestBytes: assumedRequestBytes, maxBatch: 16, serviceMs };
}
