/** Round trip and bandwidth out of timed uploads of different size. Robust: medians and quantiles throughout. */
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";

/** One timed upload. */
export interface TimedUpload {
  readonly bytes: number;
  /** From the moment it could begin until the moment it was known to have ended, in milliseconds. */
  readonly tookMs: number;
  /** True when `tookMs` holds a round trip; false when it followed straight on another upload. */
  readonly hasRoundTrip: boolean;
}

export interface LinkEstimate {
  readonly rttMs: number;
  /** Upload time a byte, in milliseconds: an upper quantile, which is a lower one of the bandwidth. */
  readonly msPerByte: number;
}

/** Two uploads tell a slope only when one has at least this many times the bytes of the other. */
const tellingRatio = 1.5;
/** Fewer slopes than this do not separate round trip and bandwidth. */
const enoughSlopes = 6;

/**
 * tookMs = rttMs + msPerByte * bytes. The slope is the median over the uploads without a round trip and over the
 * pairs with telling sizes (Theil-Sen), the round trip the median of what then remains; at that round trip the
 * large uploads (half the largest and more) each tell a time per byte, of which a quantile is taken. Where all
 * uploads have about one size, the round trip stays as assumed, and the time per byte absorbs the rest.
 *
 * @param uploads at least one, each of more than 0 bytes
 * @param bandwidthQuantile in [0, 1]; 0.25 is a bandwidth that three of four uploads reach
 */
export function estimateLink(
  uploads: readonly TimedUpload[],
  assumedRttMs: number,
  bandwidthQuantile: number,
): LinkEstimate {
  const whole = uploads.filter(({ hasRoundTrip }) => hasRoundTrip);
  const slopes = uploads
    .filter(({ hasRoundTrip }) => !hasRoundTrip)
    .map(({ tookMs, bytes }) => tookMs / bytes);
  whole.forEach((left, i) => {
    for (const right of whole.slice(i + 1)) {
      const ratio = right.bytes / left.bytes;
      if (ratio < tellingRatio && ratio > 1 / tellingRatio) continue;
      slopes.push((right.tookMs - left.tookMs) / (right.bytes - left.bytes));
    }
  });
  let rttMs = assumedRttMs;
  if (slopes.length >= enoughSlopes && whole.length > 0) {
    const slope = Math.max(0, medianOf(slopes));
    rttMs = Math.max(0, medianOf(whole.map(({ tookMs, bytes }) => tookMs - slope * bytes)));
  }
  const large = Math.max(...uploads.map(({ bytes }) => bytes)) / 2;
  const perByte = uploads
    .filter(({ bytes }) => bytes >= large)
    .map(({ tookMs, bytes, hasRoundTrip }) => Math.max(0, tookMs - (hasRoundTrip ? rttMs : 0)) / bytes);
  return {
    rttMs,
    msPerByte: quantileOfSorted(Float64Array.from(perByte).sort(), 1 - bandwidthQuantile),
  };
}
