/** Makes the models that learn how long a target works, from what a profile says of it. */
import { ServiceModel } from "../../../algorithms/latency/service-model.ts";
import { LinkModel } from "../../../algorithms/network/link-model.ts";
import type { LearningPart } from "../policy-inputs.ts";
import type { TargetProfile } from "../target-profile.ts";

/** Which parts of the learning are switched off. */
export type Without = ReadonlySet<LearningPart>;

/** What an upload's time may differ by without mattering, as a part of the SLO. */
const jitterPart = 1e-3;

/** Points of a measured distribution that the model begins with: a power of two. */
const seeds = 128;

/** In an order in which the points that are left are evenly spread however many were forgotten (van der Corput). */
const seedQuantiles = Array.from({ length: seeds }, (_, index) => {
  let reversed = 0;
  for (let bit = 1; bit < seeds; bit *= 2) reversed = 2 * reversed + ((index & bit) === 0 ? 0 : 1);
  return (reversed + 0.5) / seeds;
});

export function serviceModel(profile: TargetProfile, without: Without): ServiceModel {
  const tables = seedQuantiles.map((quantile) => profile.serviceMs(quantile));
  return new ServiceModel({
    measured: Array.from({ length: profile.maxBatchRows }, (_, index) =>
      tables.map((table) => table[index + 1] as number),
    ),
    refits: !without.has("refit"),
    followsDrift: !without.has("drift"),
  });
}

/** Bytes are counted in milliseconds that their upload takes by the profile, so that a byte takes one at first. */
export function linkModel({ rttMs }: TargetProfile, sloMs: number, without: Without): LinkModel {
  return new LinkModel({
    assumedRttMs: rttMs,
    jitterMs: jitterPart * sloMs,
    assumedMsPerByte: 1,
    followsDrift: !without.has("drift"),
    ...(without.has("refit") ? { window: 0 } : {}),
  });
}
