/** The link to a target as its batches tell, whichever model they are of. */
import { LinkModel } from "../../algorithms/network/link-model.ts";

/** What an upload's time may differ by without mattering, as a part of the SLO. */
const jitterPart = 1e-3;

export interface LinkOptions {
  /** By the profile, in milliseconds. */
  readonly rttMs: number;
  readonly sloMs: number;
  /** False: the estimate stays what the profile says. */
  readonly refits: boolean;
  readonly followsDrift: boolean;
}

/** Bytes are counted in milliseconds that their upload takes by the profile, so that a byte takes one at first. */
export function learnedLink({ rttMs, sloMs, refits, followsDrift }: LinkOptions): LinkModel {
  return new LinkModel({
    assumedRttMs: rttMs,
    jitterMs: jitterPart * sloMs,
    assumedMsPerByte: 1,
    followsDrift,
    ...(refits ? {} : { window: 0 }),
  });
}
