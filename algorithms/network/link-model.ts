/**
 * One link to a class of targets: how long an upload takes, and when the link will be free, given what was sent
 * when. Uploads go one after another, in the order they were sent.
 */
import { estimateLink, type LinkEstimate, type TimedUpload } from "./link-estimate.ts";

export interface LinkModelOptions {
  /** Round trip until uploads have told it, in milliseconds, at least 0. */
  readonly assumedRttMs: number;
  /** Bandwidth until uploads have told it, in Mbit/s, above 0. */
  readonly assumedUplinkMbps: number;
  /** Uploads the estimate rests on, an integer from 1 to 512. Default 64. */
  readonly window?: number;
  /** Which quantile of the bandwidth is reckoned with, in [0, 1]. Default 0.25. */
  readonly bandwidthQuantile?: number;
}

interface Upload {
  readonly id: number;
  readonly bytes: number;
  readonly sentAtMs: number;
  /** When its last byte left, as predicted or, once delivered, as observed. */
  endAtMs: number;
  /** The upload's end plus a round trip, once its answer has told it. */
  networkEndAtMs: number | undefined;
}

/** Uploads under way that are remembered; more are not corrected by what comes back. */
const mostRemembered = 256;
/** The estimate is renewed after this many new uploads; at every one of the first 16. */
const refitEvery = 8;

/**
 * The owner says `sent` for each upload, in order, and `delivered` when its answer is there; answers may come in
 * any order, and one that failed is never told. Memory is bounded by the window and by 256 uploads under way.
 */
export class LinkModel {
  readonly #assumedRttMs: number;
  readonly #window: number;
  readonly #bandwidthQuantile: number;
  /** In the order they were sent; the first is the last one delivered, when one was. */
  readonly #uploads: Upload[] = [];
  readonly #timed: TimedUpload[] = [];
  #nextTimed = 0;
  #nextId = 0;
  #sinceFit = 0;
  #estimate: LinkEstimate;

  /** @throws RangeError when an option is outside its range */
  constructor({ assumedRttMs, assumedUplinkMbps, window = 64, bandwidthQuantile = 0.25 }: LinkModelOptions) {
    check("assumedRttMs", assumedRttMs, assumedRttMs >= 0, "at least 0");
    check("assumedUplinkMbps", assumedUplinkMbps, assumedUplinkMbps > 0, "above 0");
    check(
      "window",
      window,
      Number.isInteger(window) && window >= 1 && window <= 512,
      "an integer from 1 to 512",
    );
    check("bandwidthQuantile", bandwidthQuantile, bandwidthQuantile >= 0 && bandwidthQuantile <= 1, "[0, 1]");
    this.#assumedRttMs = assumedRttMs;
    this.#window = window;
    this.#bandwidthQuantile = bandwidthQuantile;
    this.#estimate = { rttMs: assumedRttMs, msPerByte: 8 / (assumedUplinkMbps * 1000) };
  }

  /** Round trip in milliseconds: half of it before a target has the upload, half after the answer left it. */
  get rttMs(): number {
    return this.#estimate.rttMs;
  }

  /** Upload time a byte, in milliseconds. */
  get msPerByte(): number {
    return this.#estimate.msPerByte;
  }

  /** How long an upload of that many bytes keeps the link, in milliseconds. */
  uploadMs(bytes: number): number {
    return bytes * this.#estimate.msPerByte;
  }

  /** When the link will have sent all that it was given: in the past when it is free. -Infinity at first. */
  get freeAtMs(): number {
    return this.#uploads.at(-1)?.endAtMs ?? -Infinity;
  }

  /**
   * From now until the answer of an upload of that many bytes, without the target's own time: what waits on the
   * link before it, the upload, the round trip.
   */
  transferMs(bytes: number, nowMs: number): number {
    return Math.max(0, this.freeAtMs - nowMs) + this.uploadMs(bytes) + this.rttMs;
  }

  /**
   * An upload was given to the link. Moments must not decrease.
   *
   * @param bytes above 0
   * @returns the id that `delivered` is told
   * @throws RangeError when `bytes` is not above 0 or the moment is before that of the last upload
   */
  sent(bytes: number, atMs: number): number {
    check("bytes", bytes, bytes > 0 && bytes < Infinity, "above 0");
    const previous = this.#uploads.at(-1);
    const previousAtMs = previous?.sentAtMs ?? -Infinity;
    check("atMs", atMs, atMs >= previousAtMs && atMs < Infinity, `at least ${previousAtMs}`);
    const endAtMs = Math.max(atMs, this.freeAtMs) + this.uploadMs(bytes);
    const id = this.#nextId++;
    this.#uploads.push({ id, bytes, sentAtMs: atMs, endAtMs, networkEndAtMs: undefined });
    if (this.#uploads.length > mostRemembered) this.#uploads.shift();
    return id;
  }

  /**
   * The answer to an upload is there.
   *
   * @param networkEndAtMs the moment of the answer, less the time the target worked on it or let it wait: the
   * upload's end plus a round trip
   */
  delivered(id: number, networkEndAtMs: number): void {
    const at = this.#uploads.findIndex((upload) => upload.id === id);
    const upload = this.#uploads[at];
    if (upload === undefined) return;
    this.#time(upload, this.#uploads[at - 1], networkEndAtMs);
    upload.endAtMs = Math.max(upload.sentAtMs, networkEndAtMs - this.rttMs);
    upload.networkEndAtMs = networkEndAtMs;
    this.#followFrom(at);
    this.#uploads.splice(0, at);
  }

  /** Learn from an upload, unless one before it kept it waiting and has not told until when. */
  #time(upload: Upload, previous: Upload | undefined, networkEndAtMs: number): void {
    const isAlone = (previous?.endAtMs ?? -Infinity) <= upload.sentAtMs;
    // Behind another upload both moments carry the same round trip, so that it cancels.
    const beganAtMs = isAlone ? upload.sentAtMs : previous?.networkEndAtMs;
    if (beganAtMs === undefined || networkEndAtMs <= beganAtMs) return;
    const tookMs = networkEndAtMs - beganAtMs;
    this.#timed[this.#nextTimed] = { bytes: upload.bytes, tookMs, hasRoundTrip: isAlone };
    this.#nextTimed = (this.#nextTimed + 1) % this.#window;
    this.#sinceFit++;
    if (this.#sinceFit < refitEvery && this.#timed.length > 16) return;
    this.#sinceFit = 0;
    this.#estimate = estimateLink(this.#timed, this.#assumedRttMs, this.#bandwidthQuantile);
  }

  /** Predict again when the uploads after that one end. */
  #followFrom(at: number): void {
    let freeAtMs = this.#uploads[at]?.endAtMs ?? -Infinity;
    for (const upload of this.#uploads.slice(at + 1)) {
      if (upload.networkEndAtMs === undefined) {
        upload.endAtMs = Math.max(upload.sentAtMs, freeAtMs) + this.uploadMs(upload.bytes);
      }
      freeAtMs = upload.endAtMs;
    }
  }
}

function check(name: string, value: number, isAllowed: boolean, allowed: string): void {
  if (!isAllowed) throw new RangeError(`${name} is ${value}; allowed: ${allowed}`);
}
