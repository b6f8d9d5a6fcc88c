/** Runs a world of outages through the real queue and a policy, under the virtual clock. */
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { ProfiledTarget } from "../../client/policies/profile.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import type { Outcome, QueueEvent } from "../../client/queue/queue-event.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { VirtualClock } from "../world/virtual-clock.ts";
import { type BusySpan, outageTarget } from "./outage-target.ts";
import { type OutageTarget, type OutageWorld, trueServiceMs } from "./outage-world.ts";
import { StalledClock } from "./stalled-clock.ts";

/** Bytes of a request of one row; the link's speed follows from the time of its upload. */
const rowBytes = 1_000;
/** So many that no request is refused for want of room. */
export const mostQueuedRows = 1_000_000;
const functionSize = { vcpu: 1, memoryMib: 1_024 };

/** 0.0000002 a call, and 0.0000167 for each second with 1 GiB, by the millisecond. */
const outageSheet: PriceSheet = {
  kind: "gb-second",
  name: "made up",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 0.000_016_7,
  perCall: 0.000_000_2,
  granularityMs: { cpu: 1 },
};

/** How a request ended. */
export interface OutageEnd {
  readonly outcome: Outcome;
  readonly atMs: number;
  /** Name of the target that answered, or the code of the error. */
  readonly by: string;
}

export interface OutageRun {
  readonly events: readonly QueueEvent[];
  /** By the index of the arrival. */
  readonly ends: readonly OutageEnd[];
  readonly busy: readonly BusySpan[];
  readonly cost: number;
}

type ProfiledPolicy = Exclude<QueuePolicy, { readonly name: "fixed"; readonly batchRows: unknown }>;

/**
 * The policy that a daemon would run in that world, with the profile that it would have.
 *
 * @param maxWaitMs longest wait of a request for company. Default: none
 */
export function spillwayFor({ targets }: OutageWorld, maxWaitMs?: number): ProfiledPolicy {
  return {
    name: "spillway",
    sloQuantile: 0.99,
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
    targets: targets.map(profileOf),
    prices: outageSheet,
  };
}

/**
 * @param given the policy to run. Default: `spillway`, as a daemon makes it
 * @param observe sees every event of the queue in order
 */
export function runOutages(
  world: OutageWorld,
  given?: Policy,
  observe: (event: QueueEvent) => void = () => {},
): OutageRun {
  const { sloMs, targets, arrivals, stalls } = world;
  const clock = new VirtualClock();
  const machine = new StalledClock(clock, stalls);
  const busy: BusySpan[] = [];
  const events: QueueEvent[] = [];
  const ends: OutageEnd[] = [];
  let cost = 0;
  const queue = new VirtualQueue<number, number>({
    clock: machine,
    policy: given ?? makePolicy(spillwayFor(world), sloMs),
    targets: targets.map((target, index) => {
      const costOf = (serviceMs: number): number =>
        target.kind === "edge" ? 0 : callCost(outageSheet, functionSize, serviceMs).cost;
      return outageTarget({ target, index, clock, machine, busy, costOf });
    }),
    sloMs,
    maxQueuedRows: mostQueuedRows,
    modelOf: modelOfKey,
    observe: (event) => {
      events.push(event);
      observe(event);
      if (event.kind === "result") cost += event.cost ?? 0;
    },
  });
  for (const [id, { atMs, rows, sloMs: ownSloMs, key }] of arrivals.entries()) {
    clock.advanceToEventAt(machine.noticedAtMs(atMs));
    queue.submit({ payload: id, rows, bytes: rows * rowBytes, sloMs: ownSloMs, key }, (end) => {
      const by = "error" in end ? end.error.code : end.target;
      ends[id] = { outcome: end.outcome, atMs: clock.nowMs(), by };
    });
  }
  clock.runAll();
  return { events, ends, busy, cost };
}

/** What the daemon is told of the target. */
function profileOf(target: OutageTarget): ProfiledTarget {
  const { name, kind, places, rttMs, uploadRowMs, maxBatch, coldStartMs, profileFactor, isMeasured } = target;
  const times = [...new Set([1, maxBatch])].map((rows) => {
    const ms = profileFactor * trueServiceMs(target, rows);
    return [`${rows}`, [0.98 * ms, ms, 1.02 * ms]];
  });
  const serviceMs = Object.fromEntries(times) as Record<string, number[]>;
  const model = { requestBytes: rowBytes, maxBatch, serviceMs };
  const uplinkMbps = uploadRowMs === 0 ? 10_000 : (rowBytes * 8) / (uploadRowMs * 1_000);
  const facts = {
    name,
    replicas: places,
    link: { rttMs, uplinkMbps },
    models: { m: isMeasured ? model : { ...model, isAssumed: true as const } },
  };
  if (kind === "edge") return { ...facts, kind, coldStartMs: [] };
  return { ...facts, kind, coldStartMs: isMeasured ? [coldStartMs] : [], ...functionSize };
}
