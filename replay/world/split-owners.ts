/**
 * One stream of requests and one world, decided about by one owner or by several: each has a queue and a policy of its own,
 * its share of the edges, and the requests that fall to it. Links, replicas, instances and service times are the same
 * however many owners there are, so that a difference is the price of splitting alone.
 */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { type ReplaySummary, Tally } from "../summary.ts";
import { randomStream } from "../traces/random-stream.ts";
import type { TraceRequest } from "./batch-sent.ts";
import { profileTargets } from "./profile.ts";
import type { Scenario } from "./scenario.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { worldTargets } from "./world.ts";

const mostRows = 1_000_000;

export interface OwnersOptions {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  readonly seed: number;
  /** In order; requests have one row and no lane. */
  readonly arrivalsMs: readonly number[];
  /** From 1 to the number of edges. */
  readonly owners: number;
  /** Makes the policy of one owner. */
  readonly policy: (inputs: PolicyInputs) => Policy;
}

/**
 * Replays arrivals under so many owners. Each request falls to one at random, as by a digest of its id.
 *
 * @throws RangeError when there are fewer edges than owners
 */
export function replaySplit({
  scenario,
  sheet,
  seed,
  arrivalsMs,
  owners,
  policy,
}: OwnersOptions): ReplaySummary {
  const edges = scenario.edges.length;
  if (!Number.isInteger(owners) || owners < 1 || owners > edges)
    throw new RangeError(`owners is ${owners}; allowed: an integer from 1 to ${edges}, the number of edges`);
  const clock = new VirtualClock();
  const profiles = profileTargets(scenario, sheet);
  const tally = new Tally(scenario, profiles);
  const onBatch = tally.sent.bind(tally);
  const targets = worldTargets({ scenario, sheet, seed, clock, onBatch });
  const queues = Array.from({ length: owners }, (_, owner) => {
    const isOwn = (__: unknown, target: number): boolean => target >= edges || target % owners === owner;
    return new VirtualQueue<TraceRequest, TraceRequest>({
      clock,
      policy: policy({
        targets: profiles.filter(isOwn),
        sloMs: scenario.sloMs,
        sloQuantile: scenario.sloQuantile,
        currency: sheet.currency,
        onPlan: () => {},
      }),
      targets: targets.filter(isOwn),
      sloMs: scenario.sloMs,
      maxQueuedRows: mostRows,
      maxBytes: Infinity,
    });
  });
  // The draws are the same for every number of owners.
  const random = randomStream(seed, "owners");
  for (const [id, arrivedAtMs] of arrivalsMs.entries()) {
    clock.advanceToEventAt(arrivedAtMs);
    const queue = queues[Math.floor(random() * owners)] as (typeof queues)[number];
    const payload = { id, arrivedAtMs, rows: 1, lane: "" };
    queue.submit({ payload, bytes: scenario.requestBytes }, (end) => tally.ended(end, "", clock.nowMs()));
  }
  clock.runAll();
  return tally.summary(sheet.currency);
}
