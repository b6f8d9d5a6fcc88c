/**
 * What has been learned about the functions of a queue: the uplink that they share, and which instances are
 * warm. This belongs to the functions and not to a policy, because all models share both.
 */
import type { LinkModel, LinkUpload } from "../../algorithms/network/link-model.ts";
import { TurnoverMap } from "../../base/memory/turnover-map.ts";
import { WarmInstances } from "./warm-instances.ts";

export class LearnedFunctions {
  readonly link: LinkModel;
  /** By batch id. */
  readonly #uploads = new TurnoverMap<number, LinkUpload>();
  /** By target index. */
  readonly #instances = new Map<number, WarmInstances>();
  /** Grows with each call that is sent or fails. */
  version = 0;
  /** Each call that ends makes room for another one. */
  callsEnded = 0;

  constructor(link: LinkModel) {
    this.link = link;
  }

  /** @param idleMs time without a call after which the platform stops an instance */
  instancesOf(target: number, idleMs: number): WarmInstances {
    const known = this.#instances.get(target) ?? new WarmInstances(idleMs);
    this.#instances.set(target, known);
    return known;
  }

  /** @param work size of the upload in the link model's unit: milliseconds that it takes by the profile */
  sent(id: number, work: number, nowMs: number): void {
    this.#uploads.set(id, this.link.sent(work, nowMs));
    this.version++;
  }

  /**
   * A call has come back.
   *
   * @param reachedMs when it came back, less its service time, wait and cold start; undefined: not known
   * @returns true when the link was found to have changed for good
   */
  ended(id: number, reachedMs: number | undefined): boolean {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return false;
    this.#uploads.delete(id);
    this.callsEnded++;
    if (reachedMs === undefined) this.version++;
    return this.link.ended(upload, reachedMs);
  }
}
