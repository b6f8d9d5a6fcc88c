/**
 * One link to a class of targets: how long an upload takes and when the link will be free. Uploads go one after another,
 * in the order they were sent.
 */
import { DriftDetector, targetDrift } from "../changepoint/change-detectors.ts";
import { checkRange } from "../../base/check-range.ts";
import { estimateLink, type LinkEstimate, type TimedUpload } from "./link-estimate.ts";

export interface LinkModelOptions {
  /** Round trip until there is an estimate, in milliseconds, at least 0. */
  readonly assumedRttMs: number;
  /** Upload time a byte until there is an estimate, in milliseconds, at least 0. */
  readonly assumedMsPerByte: number;
  /** Differences of this size tell nothing about the link, in milliseconds, at least 0. Default 0. */
  readonly jitterMs?: number;
}

/** An upload that was given to the link. */
export interface LinkUpload {
  readonly bytes: number;
  readonly sentAtMs: number;
  /** When its last byte leaves, as far as known. */
  readonly endAtMs: number;
}

interface PendingUpload extends LinkUpload {
  endAtMs: number;
  /** Number of the upload on this link. */
  readonly sequence: number;
  /** When the last earlier upload that is no longer pending ended, as far as known. */
  notBeforeMs: number;
  /** True when all earlier uploads had ended when it was sent, so it began at once. */
  readonly wasAlone: boolean;
  /** End of the upload right before it plus a round trip, once its answer is there. */
  previousNetworkEndMs: number | undefined;
}

/** Uploads that the estimate rests on. */
const window = 64;
/** Quantile of the bandwidth that is used. */
const bandwidthQuantile = 0.25;
/** With fewer uploads than this, the median of them and of `priorUploads` as assumed is used. */
const enoughUploads = 6;
const priorUploads = 2;
/** A link that seems this many times slower than assumed is believed to be so for this long after its last upload. */
const slowFactor = 2;
const slowForMs = 15_000;
/** The estimate is renewed after this many new uploads, and after each of the first 16. */
const refitEvery = 64;
const firstUploads = 16;
/** Shorter uploads, in milliseconds, tell more about jitter than about the link. */
const leastTellingMs = 0.05;
/** An upload surely waited for the one before it if that one's answer came this many round trips after its sending. */
const surelyBehind = 1.5;
/** Lower bound of ratios, because 0 has no logarithm. */
const leastRatio = 1e-3;

/**
 * The owner calls `sent` for each upload, in order, and `ended` exactly once for each, in any order. An upload is timed
 * only if its beginning is known: when all uploads before it are known to have ended.
 *
 * Example: `const l = new LinkModel({ assumedRttMs: 2, assumedMsPerByte: 0.1 }); l.sent(50, 100); l.sent(20,
 * 101).endAtMs` is `107`.
 */
export class LinkModel {
  readonly #options: Required<LinkModelOptions>;
  /** In the order they were sent. */
  readonly #pending: PendingUpload[] = [];
  /** The last ones that were timed, the oldest first: those of the window, and fewer than as many before them. */
  readonly #timed: TimedUpload[] = [];
  #drift = new DriftDetector(targetDrift);
  /** Whether the uploads since a change are all that counts. */
  #hasDrifted = false;
  #sequence = 0;
  #lateMs = 0;
  #sinceFit = 0;
  #timedInAll = 0;
  /** When the last upload was timed. */
  #timedAtMs = -Infinity;
  /** When the last upload that is not pending any more had ended. */
  #endedAtMs = -Infinity;
  #estimate: LinkEstimate;

  /** @throws RangeError when an option is outside its range */
  constructor(options: LinkModelOptions) {
    const { assumedRttMs, assumedMsPerByte, jitterMs = 0 } = options;
    checkRange("assumedRttMs", assumedRttMs, assumedRttMs >= 0, "at least 0");
    checkRange("assumedMsPerByte", assumedMsPerByte, assumedMsPerByte >= 0, "at least 0");
    checkRange("jitterMs", jitterMs, jitterMs >= 0 && jitterMs < Infinity, "at least 0");
    this.#options = { assumedRttMs, assumedMsPerByte, jitterMs };
    this.#estimate = { rttMs: assumedRttMs, msPerByte: assumedMsPerByte };
  }

  /**
   * By how much the moments may be late that it is told from now on: a machine with too much to do notices answers late, and
   * that says nothing of the link.
   *
   * @param ms at least 0
   */
  isToldLateBy(ms: number): void {
    this.#lateMs = ms;
  }

  /** As of `isToldLateBy`; 0 at first. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /** Whether the link seems to be much slower than assumed. */
  get isSlow(): boolean {
    const { assumedMsPerByte, assumedRttMs, jitterMs } = this.#options;
    const { msPerByte, rttMs } = this.#estimate;
    return msPerByte > slowFactor * assumedMsPerByte || rttMs > slowFactor * (assumedRttMs + jitterMs);
  }

  /**
   * Forget that the link was slow once nothing has been timed for a while. A target that stalls looks like a slow link, and
   * a link that is believed to be slow may not be used again.
   */
  fade(nowMs: number): void {
    if (nowMs - this.#timedAtMs < slowForMs || this.#timed.length === 0 || !this.isSlow) return;
    const { assumedMsPerByte, assumedRttMs } = this.#options;
    this.#timed.length = 0;
    this.#timedInAll = 0;
    this.#hasDrifted = false;
    this.#drift = new DriftDetector(targetDrift);
    this.#estimate = { rttMs: assumedRttMs, msPerByte: assumedMsPerByte };
  }

  /** Round trip in milliseconds: half of it before a target has the upload, half after the answer left it. */
  get rttMs(): number {
    return this.#estimate.rttMs;
  }

  /** Upload time a byte, in milliseconds. */
  get msPerByte(): number {
    return this.#estimate.msPerByte;
  }

  /** How long an upload of that many bytes occupies the link, in milliseconds. */
  uploadMs(bytes: number): number {
    return bytes * this.#estimate.msPerByte;
  }

  /** When the link will have sent everything: in the past if it is free, -Infinity at first. */
  get freeAtMs(): number {
    const last = this.#pending.at(-1);
    return last === undefined ? this.#endedAtMs : Math.max(last.endAtMs, this.#endedAtMs);
  }

  /**
   * @param bytes at least 0
   * @param atMs not before the moment of an earlier upload
   * @returns the upload, for `ended`; its `endAtMs` changes with what becomes known
   */
  sent(bytes: number, atMs: number): LinkUpload {
    checkRange("bytes", bytes, bytes >= 0 && bytes < Infinity, "at least 0");
    const upload: PendingUpload = {
      bytes,
      sentAtMs: atMs,
      endAtMs: Math.max(atMs, this.freeAtMs) + this.uploadMs(bytes),
      sequence: this.#sequence++,
      notBeforeMs: this.#endedAtMs,
      wasAlone: this.#pending.length === 0 && this.#endedAtMs <= atMs,
      previousNetworkEndMs: undefined,
    };
    this.#pending.push(upload);
    return upload;
  }

  /**
   * @param networkEndMs the moment of its answer, less the time that the target worked on it or let it wait: the
   * upload's end plus a round trip. Undefined when unknown, because the answer was an error.
   * @returns true when the link has just been found to have changed for good
   */
  ended(upload: LinkUpload, networkEndMs: number | undefined): boolean {
    const at = this.#pending.indexOf(upload as PendingUpload);
    if (at === -1) return false;
    const pending = this.#pending[at] as PendingUpload;
    let hasDrifted = false;
    if (networkEndMs !== undefined) {
      this.#timedAtMs = Math.max(this.#timedAtMs, networkEndMs);
      hasDrifted = this.#time(pending, networkEndMs);
      pending.endAtMs = Math.max(pending.sentAtMs, networkEndMs - this.rttMs);
    }
    const next = this.#pending[at + 1];
    if (next !== undefined) {
      next.notBeforeMs = Math.max(next.notBeforeMs, pending.endAtMs);
      if (next.sequence === pending.sequence + 1) next.previousNetworkEndMs = networkEndMs;
    }
    this.#endedAtMs = Math.max(this.#endedAtMs, pending.endAtMs);
    // Mostly it is the first one, for which `splice` takes five times as long.
    if (at === 0) this.#pending.shift();
    else this.#pending.splice(at, 1);
    this.#expectAgainFrom(at);
    return hasDrifted;
  }

  #time(upload: PendingUpload, networkEndMs: number): boolean {
    const { bytes, sentAtMs, wasAlone, previousNetworkEndMs } = upload;
    if (wasAlone) return this.#learn({ bytes, tookMs: networkEndMs - sentAtMs, hasRoundTrip: true });
    // This must not depend on the exact round trip, which is only an estimate.
    const isBehind =
      previousNetworkEndMs !== undefined && previousNetworkEndMs - sentAtMs > surelyBehind * this.rttMs;
    if (!isBehind) return false;
    // Both moments include the same round trip, which cancels.
    return this.#learn({ bytes, tookMs: networkEndMs - previousNetworkEndMs, hasRoundTrip: false });
  }

  #learn({ bytes, tookMs, hasRoundTrip }: TimedUpload): boolean {
    const assumedMs = bytes * this.#options.assumedMsPerByte;
    if (!(tookMs > 0) || assumedMs < leastTellingMs) return false;
    const overMs = tookMs - assumedMs - (hasRoundTrip ? this.#options.assumedRttMs : 0);
    const timed = { bytes, tookMs: tookMs - Math.max(0, Math.min(overMs, this.#lateMs)), hasRoundTrip };
    this.#timed.push(timed);
    // An array of this length is shifted as slowly as it is copied, so that is done once for many.
    if (this.#timed.length === 2 * window) this.#timed.splice(0, window);
    this.#timedInAll++;
    this.#sinceFit++;
    const hasDrifted = this.#forgetBeforeDrift(timed, assumedMs);
    if (hasDrifted || this.#sinceFit >= refitEvery || this.#timedInAll <= firstUploads) this.#refit();
    return hasDrifted;
  }

  /** Relative to the assumption. Relative to the estimate, each new estimate would look like a change. */
  #forgetBeforeDrift({ tookMs, hasRoundTrip }: TimedUpload, assumedMs: number): boolean {
    const uploadMs = tookMs - (hasRoundTrip ? this.rttMs : 0);
    const { jitterMs } = this.#options;
    const ratio = (uploadMs + jitterMs) / (assumedMs + jitterMs);
    const alarm = this.#drift.observe(Math.max(leastRatio, ratio));
    if (alarm === undefined) return false;
    const since = alarm.atIndex - alarm.startIndex + 1;
    this.#timed.splice(0, Math.max(0, this.#timed.length - since));
    // As at first, the estimate is renewed after each upload until there are enough.
    this.#timedInAll = this.#timed.length;
    this.#hasDrifted = true;
    return true;
  }

  #refit(): void {
    this.#sinceFit = 0;
    this.#estimate =
      this.#timed.length >= enoughUploads || this.#hasDrifted
        ? estimateLink(this.#timed.slice(-window), this.rttMs, bandwidthQuantile)
        : estimateLink([...this.#prior(), ...this.#timed], this.rttMs, 0.5);
  }

  /** Uploads as assumed, so that the first real one does not decide alone: its target may just have stalled. */
  #prior(): TimedUpload[] {
    const { assumedMsPerByte, assumedRttMs } = this.#options;
    const bytes = Math.max(...this.#timed.map((timed) => timed.bytes));
    const upload = { bytes, tookMs: assumedRttMs + bytes * assumedMsPerByte, hasRoundTrip: true };
    return Array.from({ length: priorUploads }, () => upload);
  }

  #expectAgainFrom(at: number): void {
    let beforeMs = at === 0 ? -Infinity : (this.#pending[at - 1] as PendingUpload).endAtMs;
    for (let index = at; index < this.#pending.length; index++) {
      const upload = this.#pending[index] as PendingUpload;
      const startMs = Math.max(upload.sentAtMs, upload.notBeforeMs, beforeMs);
      beforeMs = startMs + this.uploadMs(upload.bytes);
      upload.endAtMs = beforeMs;
    }
  }
}
