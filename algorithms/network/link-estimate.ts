/** Round trip and bandwidth from timed uploads of different sizes, by medians and quantiles, so outliers do no harm. */
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";

/** One timed upload. */
export interface TimedUpload {
  readonly bytes: number;
  /** From the moment it could begin until the moment it was known to have ended, in milliseconds. */
  readonly tookMs: number;
  /** True when `tookMs` includes a round trip; false when the upload directly followed another one. */
  readonly hasRoundTrip: boolean;
}

export interface LinkEstimate {
  readonly rttMs: number;
  /** Upload time a byte, in milliseconds: an upper quantile, so a lower one of the bandwidth. */
  readonly msPerByte: number;
}

/** Two uploads give a slope only if one has at least this many times the bytes of the other. */
const tellingRatio = 1.5;
/** With fewer slopes, round trip and bandwidth cannot be separated. */
const enoughSlopes = 6;

/**
 * Fits tookMs = rttMs + msPerByte * bytes. The slope is the median over the uploads without a round trip and over the
 * pairs of different sizes (Theil-Sen); the round trip is the median of what then remains. With that round trip, each
 * large upload (at least half the largest) gives a time per byte, of which a quantile is taken. If all uploads have
 * about the same size, the round trip stays as assumed, and the time per byte absorbs the rest.
 *
 * Example: `estimateLink([{ bytes: 100, tookMs: 12, hasRoundTrip: true }], 2, 0.5)` is `{ rttMs: 2, msPerByte: 0.1 }`.
 *
 * @param uploads at least one, each of more than 0 bytes
 * @param bandwidthQuantile in [0, 1]; 0.25 is a bandwidth that three of four uploads reach
 */
export function estimateLink(
  uploads: readonly TimedUpload[],
  assumedRttMs: number,
  bandwidthQuantile: number,
): LinkEstimate {
  const whole: TimedUpload[] = [];
  const slopes: number[] = [];
  let mostBytes = 0;
  for (const upload of uploads) {
    mostBytes = Math.max(mostBytes, upload.bytes);
    if (upload.hasRoundTrip) whole.push(upload);
    else slopes.push(upload.tookMs / upload.bytes);
  }
  for (let first = 0; first < whole.length; first++) {
    const left = whole[first] as TimedUpload;
    for (let second = first + 1; second < whole.length; second++) {
      const right = whole[second] as TimedUpload;
      const ratio = right.bytes / left.bytes;
      if (ratio < tellingRatio && ratio > 1 / tellingRatio) continue;
      slopes.push((right.tookMs - left.tookMs) / (right.bytes - left.bytes));
    }
  }
  let rttMs = assumedRttMs;
  if (slopes.length >= enoughSlopes && whole.length > 0) {
    const slope = Math.max(0, medianOf(slopes));
    rttMs = Math.max(0, medianOf(whole.map(({ tookMs, bytes }) => tookMs - slope * bytes)));
  }
  const perByte: number[] = [];
  for (const { bytes, tookMs, hasRoundTrip } of uploads)
    if (bytes >= mostBytes / 2) perByte.push(Math.max(0, tookMs - (hasRoundTrip ? rttMs : 0)) / bytes);
  return {
    rttMs,
    msPerByte: quantileOfSorted(new Float64Array(perByte).sort(), 1 - bandwidthQuantile),
  };
}
