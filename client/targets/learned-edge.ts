/**
 * What has been learned of one edge: its link, and the batches that it works on. It belongs to the edge and not to a
 * policy, because all models share the uplink and the replicas of an edge.
 */
import type { LinkModel, LinkUpload } from "../../algorithms/network/link-model.ts";
import { learnedLink, type LinkOptions } from "./learned-link.ts";

/** How long batches of some model take, as it is known now. */
export interface ExpectedService {
  /** Mean time that a replica works on a batch by its measured times, by rows. */
  readonly meanMs: Float64Array;
  /** Variance of that, by rows. */
  readonly variance: Float64Array;
  /** How much longer than measured batches take now. */
  readonly slowness: number;
}

/** A batch that the edge has and has not answered. */
export interface WorkUnderWay {
  readonly id: number;
  readonly rows: number;
  readonly upload: LinkUpload;
  readonly expected: ExpectedService;
}

export class LearnedEdge {
  readonly link: LinkModel;
  readonly replicas: number;
  /** In the order they were sent. */
  readonly underWay: WorkUnderWay[] = [];
  /** When the last batches were back, the oldest first, one for each replica: until then those were busy. */
  readonly backAtMs: Float64Array;
  /** Counts whatever changes when the edge will be free. */
  version = 0;

  constructor(replicas: number, link: LinkOptions) {
    this.link = learnedLink(link);
    this.replicas = replicas;
    this.backAtMs = new Float64Array(replicas).fill(-Infinity);
  }

  /** @param work what the link counts in: milliseconds of upload by the profile */
  sent(id: number, rows: number, expected: ExpectedService, work: number, nowMs: number): void {
    this.underWay.push({ id, rows, upload: this.link.sent(work, nowMs), expected });
    this.version++;
  }

  /**
   * A batch is back.
   *
   * @param reachedMs when its answer left the edge, without the time of its service and its wait; undefined: not known
   * @returns true when the link was found to have changed for good
   */
  ended(id: number, endedAtMs: number, reachedMs: number | undefined): boolean {
    this.version++;
    this.backAtMs.copyWithin(0, 1);
    this.backAtMs[this.backAtMs.length - 1] = endedAtMs;
    const at = this.underWay.findIndex((work) => work.id === id);
    if (at === -1) return false;
    const [{ upload }] = this.underWay.splice(at, 1) as [WorkUnderWay];
    return this.link.ended(upload, reachedMs);
  }
}
