/** Makes a scenario from measured targets, in the form of the file that a replay reads. */
import type { ModelTimes, ProfiledTarget } from "../../client/policies/profile.ts";
import { InputError } from "../../base/usage-error.ts";

export interface ProfiledWorld {
  readonly name: string;
  readonly sloMs: number;
  readonly sloQuantile: number;
  /** At least one. */
  readonly targets: readonly ProfiledTarget[];
  /** The times of the model that is replayed. */
  readonly timesOf: (target: ProfiledTarget) => ModelTimes;
  /** Over all function sizes. */
  readonly maxInstances: number;
  /** Observed cold starts; empty when none was observed. */
  readonly coldStartMs: readonly number[];
  /** Name of the price sheet. */
  readonly prices: string;
}

/** How long the platform keeps an idle instance, in milliseconds; this is not measured. */
const idleMs = 180_000;

/** What stands for the link of functions where there are none. */
const noLink = { rttMs: 0, uplinkMbps: 1_000 };

/** @throws InputError when there is no target */
export function profiledScenario(world: ProfiledWorld): object {
  const { name, sloMs, sloQuantile, targets, timesOf, maxInstances, coldStartMs, prices } = world;
  const edges = targets.filter(({ kind }) => kind === "edge");
  const sizes = targets.filter((target) => target.kind === "serverless");
  const [first] = targets;
  if (first === undefined) throw new InputError(name, "", "no target was there");
  const { requestBytes } = timesOf(edges[0] ?? first);
  const specs = edges.map((each) => {
    const { maxBatch, serviceMs } = timesOf(each);
    return { name: each.name, replicas: each.replicas, link: each.link, maxBatch, serviceMs };
  });
  const [only] = specs;
  const { name: _, ...unnamed } = only ?? {};
  return {
    name,
    sloMs,
    sloQuantile,
    requestBytes,
    ...(edges.length === 1 ? { edge: unnamed } : { edges: specs }),
    serverless: {
      link: sizes[0]?.link ?? noLink,
      maxInstances,
      idleMs,
      coldStartMs: coldStartMs.length === 0 ? [0] : coldStartMs,
      prices,
      sizes: sizes.map((size) => {
        const { name, vcpu, memoryMib } = size;
        const times = timesOf(size);
        return { name, vcpu, memoryMib, maxBatch: times.maxBatch, serviceMs: times.serviceMs };
      }),
    },
  };
}
