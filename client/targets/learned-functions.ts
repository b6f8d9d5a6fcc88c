/**
 * What has been learned of the functions of a queue: the uplink that all of them share, and which of their instances
 * are warm. It belongs to them and not to a policy, because all models share both.
 */
import type { LinkModel, LinkUpload } from "../../algorithms/network/link-model.ts";
import { learnedLink, type LinkOptions } from "./learned-link.ts";
import { WarmInstances } from "./warm-instances.ts";

export class LearnedFunctions {
  readonly link: LinkModel;
  /** By the id of the batch. */
  readonly #uploads = new Map<number, LinkUpload>();
  /** By the index of the target. */
  readonly #instances = new Map<number, WarmInstances>();
  /** Counts the calls that were sent. */
  version = 0;

  constructor(link: LinkOptions) {
    this.link = learnedLink(link);
  }

  /** @param idleMs the time without a call after which the platform stops an instance */
  instancesOf(target: number, idleMs: number): WarmInstances {
    const known = this.#instances.get(target) ?? new WarmInstances(idleMs);
    this.#instances.set(target, known);
    return known;
  }

  /** @param work what the link counts in: milliseconds of upload by the profile */
  sent(id: number, work: number, nowMs: number): void {
    this.#uploads.set(id, this.link.sent(work, nowMs));
    this.version++;
  }

  /**
   * A call is back.
   *
   * @param reachedMs when its answer left the function, without the time of its service and start; undefined: not known
   * @returns true when the link was found to have changed for good
   */
  ended(id: number, reachedMs: number | undefined): boolean {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return false;
    this.#uploads.delete(id);
    return this.link.ended(upload, reachedMs);
  }
}
