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
  readonly formedAtMs: number;
  readonly target: number;
  readonly rows: number;
  /** How long the profile says that it takes. */
  readonly profiledMs: number;
  /** When the upload before it ended, once that is known; -Infinity when there was none under way. */
  previousEndMs: number | undefined;
  /** Expected, from what is known. */
  startMs: number;
  endMs: number;
}

export class Uplink {
  /** In the order they were sent; an upload leaves when its batch is back. */
  readonly uploads: Upload[] = [];
  #slowness = 1;
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
    const endMs = startMs + this.takesMs(profiledMs);
    const previousEndMs = this.uploads.length === 0 ? this.#leftAtMs : undefined;
    this.uploads.push({ formedAtMs: nowMs, target, rows, profiledMs, previousEndMs, startMs, endMs });
  }

  /** A batch is back; `endMs` is when its upload had ended, undefined when that is not known. */
  ended(target: number, rows: number, formedAtMs: number, endMs: number | undefined): void {
    const at = this.uploads.findIndex((each) => {
      return each.target === target && each.rows === rows && each.formedAtMs === formedAtMs;
    });
    const upload = this.uploads[at];
    if (upload === undefined) return;
    const next = this.uploads[at + 1];
    if (endMs !== undefined) {
      this.#learn(upload, endMs);
      upload.endMs = endMs;
      if (next !== undefined) next.previousEndMs = endMs;
      this.#expectAgainAfter(at);
    } else if (next !== undefined) next.previousEndMs ??= upload.endMs;
    this.#leftAtMs = Math.max(this.#leftAtMs, upload.endMs);
    this.uploads.splice(at, 1);
  }

  /** Only an upload whose beginning is known says how long it took. */
  #learn({ formedAtMs, previousEndMs, profiledMs }: Upload, endMs: number): void {
    if (profiledMs < leastTellingMs || previousEndMs === undefined) return;
    const startMs = Math.max(formedAtMs, previousEndMs);
    const ratio = (endMs - startMs) / profiledMs / this.#slowness;
    this.#slowness *= Math.min(mostTelling, Math.max(1 / mostTelling, ratio)) ** learningRate;
  }

  #expectAgainAfter(at: number): void {
    for (let index = at + 1; index < this.uploads.length; index++) {
      const upload = this.uploads[index] as Upload;
      const previousEndMs = upload.previousEndMs ?? (this.uploads[index - 1] as Upload).endMs;
      upload.startMs = Math.max(upload.formedAtMs, previousEndMs);
      upload.endMs = upload.startMs + this.takesMs(upload.profiledMs);
    }
  }
}
