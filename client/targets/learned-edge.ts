/**
 * What has been learned about one edge: its link, and the batches in flight. This belongs to the edge and not
 * to a policy, because all models share the uplink and the replicas of an edge.
 */
import type { LinkModel, LinkUpload } from "../../algorithms/network/link-model.ts";

/** The service times of one model's batches, as known now. */
export interface ExpectedService {
  /** Mean time that a replica works on a batch, as measured, by rows. */
  readonly meanMs: Float64Array;
  /** Variance of that time, by rows. */
  readonly variance: Float64Array;
  /** Factor by which batches take longer now than measured. */
  readonly slowness: number;
}

/** A batch that was sent to the edge and has not come back. */
export interface WorkUnderWay {
  readonly id: number;
  readonly rows: number;
  readonly upload: LinkUpload;
  readonly expected: ExpectedService;
  /** True when nothing else was at the edge as it was sent, so that it did not wait for other work. */
  readonly wasAlone: boolean;
}

export class LearnedEdge {
  readonly link: LinkModel;
  readonly replicas: number;
  /** In the order they were sent. */
  readonly underWay: WorkUnderWay[] = [];
  /** When the last batches came back, oldest first, one for each replica: until then the replica was busy. */
  readonly backAtMs: Float64Array;
  /** Increases whenever the time changes at which the edge will be free. */
  version = 0;

  constructor(replicas: number, link: LinkModel) {
    this.link = link;
    this.replicas = replicas;
    this.backAtMs = new Float64Array(replicas).fill(-Infinity);
  }

  /** @param work size of the upload in the link model's unit: milliseconds that it takes by the profile */
  sent(id: number, rows: number, expected: ExpectedService, work: number, nowMs: number): void {
    const wasAlone = this.underWay.length === 0;
    this.underWay.push({ id, rows, upload: this.link.sent(work, nowMs), expected, wasAlone });
    this.version++;
  }

  /**
   * A batch has come back.
   *
   * @param reachedMs when it came back, less its service time and its wait at the edge; undefined: not known
   * @returns true when the link was found to have changed for good
   */
  ended(id: number, endedAtMs: number, reachedMs: number | undefined): boolean {
    this.version++;
    this.backAtMs.copyWithin(0, 1);
    this.backAtMs[this.backAtMs.length - 1] = endedAtMs;
    const at = this.underWay.findIndex((work) => work.id === id);
    const work = this.underWay[at];
    if (work === undefined) return false;
    // Mostly it is the first one, for which `splice` takes five times as long.
    if (at === 0) this.underWay.shift();
    else this.underWay.splice(at, 1);
    return this.link.ended(work.upload, reachedMs);
  }
}
