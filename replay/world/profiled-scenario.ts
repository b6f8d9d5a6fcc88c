/** A scenario out of measured targets, in the form of the file that a replay reads. */
import type { ModelTimes, ProfiledTarget } from "../../client/policies/profile.ts";
import { InputError } from "../../base/input-error.ts";

export interface ProfiledWorld {
  readonly name: string;
  readonly sloMs: number;
  readonly sloQuantile: number;
  /** The edge, then one function size or more. */
  readonly targets: readonly ProfiledTarget[];
  /** The times of the model that is replayed. */
  readonly timesOf: (target: ProfiledTarget) => ModelTimes;
  /** Over all function sizes. */
  readonly maxInstances: number;
  /** Cold starts; none where none was ever seen. */
  readonly coldStartMs: readonly number[];
  /** Name of the price sheet. */
  readonly prices: string;
}

/** How long the platform keeps an idle instance, in milliseconds; nothing that was measured tells. */
const idleMs = 180_000;

/** @throws InputError when there is no edge or no function among the targets */
export function profiledScenario(world: ProfiledWorld): object {
  const { name, sloMs, sloQuantile, targets, timesOf, maxInstances, coldStartMs, prices } = world;
  const edge = targets.find(({ kind }) => kind === "edge");
  const sizes = targets.filter((target) => target.kind === "serverless");
  if (edge === undefined) throw new InputError(name, "", "no edge was there");
  const [first] = sizes;
  if (first === undefined) throw new InputError(name, "", "no function was there");
  const { requestBytes, maxBatch, serviceMs } = timesOf(edge);
  return {
    name,
    sloMs,
    sloQuantile,
    requestBytes,
    edge: { replicas: edge.replicas, link: edge.link, maxBatch, serviceMs },
    serverless: {
      link: first.link,
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
