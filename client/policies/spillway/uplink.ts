/**
 * One uplink as a client sees it: what it was given, in order, and when it will have sent it. Uploads go one
 * after another; how slow they are lately is learned from those whose arrival at the server became known.
 */

/** How far one observed upload moves the factor, in logarithms. */
const learningRate = 0.3;
/** Uploads shorter than this say more about jitter than about the link. */
const leastTellingMs = 0.05;
/** One observation counts as this many times slower or faster at most. */
const mostTelling = 16;

interface Upload {
  /** Counts the uploads of this link. */
  readonly sequence: number;
  readonly formedAtMs: number;
  readonly target: number;
  readonly rows: number;
  /** How long the profile says that it takes. */
  readonly profiledMs: number;
  /** When the last of those before it that left the list had ended, as far as known. */
  notBeforeMs: number;
  /** True when the upload right before it is known to have ended then. */
  isStartKnown: boolean;
  /** Expected, from what is known. */
  startMs: number;
  endMs: number;
}

export class Uplink {
  /** In the order they were sent; an upload leaves when its batch is back. */
  readonly uploads: Upload[] = [];
  #slowness = 1;
  #sequence = 0;
  /** When the last upload that left the list had ended. */
  #leftAtMs = -Infinity;

  /** How long an upload takes that takes `profiledMs` by the profile. */
  takesMs(profiledMs: number): number {
    return profiledMs * this.#slowness;
  }

  /** When everything sent so far is through. */
  freeAtMs(): number {
    const last = this.uploads.at(-1);
    return last === undefined ? this.#leftAtMs : Math.max(last.endMs, this.#leftAtMs);
  }

  sent(target: number, rows: number, profiledMs: number, nowMs: number): void {
    const startMs = Math.max(nowMs, this.freeAtMs());
    this.uploads.push({
      sequence: this.#sequence++,
      formedAtMs: nowMs,
      target,
      rows,
      profiledMs,
      notBeforeMs: this.#leftAtMs,
      isStartKnown: this.uploads.length === 0,
      startMs,
      endMs: startMs + this.takesMs(profiledMs),
    });
  }

  /** A batch is back; `endMs` is when its upload had ended, undefined when that is not known. */
  ended(target: number, rows: number, formedAtMs: number, endMs: number | undefined): void {
    const at = this.uploads.findIndex((each) => {
      return each.target === target && each.rows === rows && each.formedAtMs === formedAtMs;
    });
    const upload = this.uploads[at];
    if (upload === undefined) return;
    if (endMs !== undefined) {
      this.#learn(upload, endMs);
      upload.endMs = endMs;
    }
    const next = this.uploads[at + 1];
    if (next !== undefined) {
      next.notBeforeMs = Math.max(next.notBeforeMs, upload.endMs);
      if (next.sequence === upload.sequence + 1) next.isStartKnown = endMs !== undefined;
    }
    this.#leftAtMs = Math.max(this.#leftAtMs, upload.endMs);
    this.uploads.splice(at, 1);
    this.#expectAgainFrom(at);
  }

  /** Only an upload whose beginning is known says how long it took. */
  #learn({ formedAtMs, notBeforeMs, isStartKnown, profiledMs }: Upload, endMs: number): void {
    if (profiledMs < leastTellingMs || !isStartKnown) return;
    const startMs = Math.max(formedAtMs, notBeforeMs);
    const ratio = (endMs - startMs) / profiledMs / this.#slowness;
    this.#slowness *= Math.min(mostTelling, Math.max(1 / mostTelling, ratio)) ** learningRate;
  }

  #expectAgainFrom(at: number): void {
    for (let index = at; index < this.uploads.length; index++) {
      const upload = this.uploads[index] as Upload;
      const beforeMs = this.uploads[index - 1]?.endMs ?? -Infinity;
      upload.startMs = Math.max(upload.formedAtMs, upload.notBeforeMs, beforeMs);
      upload.endMs = upload.startMs + this.takesMs(upload.profiledMs);
    }
  }
}
