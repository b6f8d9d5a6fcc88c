/** The model of the link to a target. It learns from the batches of all models. */
import { LinkModel } from "../../algorithms/network/link-model.ts";

/** Differences between upload times below this part of the SLO are taken for jitter. */
const jitterPart = 1e-3;

export interface LinkOptions {
  /** Round trip according to the profile, in milliseconds. */
  readonly rttMs: number;
  readonly sloMs: number;
  /** False: the estimate stays at the profile's figures. */
  readonly refits: boolean;
  readonly followsDrift: boolean;
}

/** Uploads are measured in milliseconds that they take by the profile, so a unit takes 1 ms at first. */
export function learnedLink({ rttMs, sloMs, refits, followsDrift }: LinkOptions): LinkModel {
  return new LinkModel({
    assumedRttMs: rttMs,
    jitterMs: jitterPart * sloMs,
    assumedMsPerByte: 1,
    followsDrift,
    ...(refits ? {} : { window: 0 }),
  });
}
