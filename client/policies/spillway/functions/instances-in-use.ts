/**
 * The calls of one function size that are under way, and the instances that they use: so whether the next call finds a warm
 * instance, and when one that is busy will be idle.
 */
import type { LinkModel } from "../../../../algorithms/network/link-model.ts";
import type { WarmInstances } from "../../../targets/warm-instances.ts";

interface CallUnderWay {
  /** When it is expected back. */
  readonly backAtMs: number;
  /** From then on it counts as hanging. */
  readonly hangsAtMs: number;
  /** When it reaches the platform, which then looks for an idle instance. */
  readonly reachAtMs: number;
  /** Whether it seems to start an instance. */
  isCold: boolean;
  /** Whether another call that is under way will take its instance. */
  isFollowed: boolean;
}

/** A call that is sent. */
export interface CallSent {
  readonly id: number;
  readonly uploadAtMs: number;
  readonly uploadMs: number;
  /** From the beginning of its upload to its answer, by a warm instance. */
  readonly latencyMs: number;
  /** What a cold start adds. */
  readonly coldStartMs: number;
  readonly hangsAtMs: number;
}

/** By each call the most calls at once fade by this factor. */
const mostMemory = 1 - 1e-3;

export class InstancesInUse {
  readonly #instances: WarmInstances;
  readonly #link: LinkModel;
  /** By batch id, in the order they were sent. */
  readonly #underWay = new Map<number, CallUnderWay>();
  #most = 0;

  constructor(instances: WarmInstances, link: LinkModel) {
    this.#instances = instances;
    this.#link = link;
  }

  /** Most calls that were under way at once. It fades with the calls that come: to a third in a thousand. */
  get most(): number {
    return this.#most;
  }

  /** How many calls are under way. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Whether a call with that upload finds a warm instance: one that is idle, or will be when the call gets there. */
  isWarm(uploadAtMs: number, uploadMs: number): boolean {
    return this.#instances.isIdle(uploadAtMs) || this.#toFollow(uploadAtMs + uploadMs) !== undefined;
  }

  /** When the first instance that has a call is expected to be idle, at `nowMs` or later; Infinity: none has. */
  idleAtMs(nowMs: number): number {
    let idleAtMs = Infinity;
    for (const { backAtMs } of this.#underWay.values()) {
      if (backAtMs >= nowMs) idleAtMs = Math.min(idleAtMs, backAtMs);
    }
    return idleAtMs;
  }

  /** Whether the oldest call hangs. */
  hangs(nowMs: number): boolean {
    // Mostly nothing is under way, and an iterator is not made for nothing.
    if (this.#underWay.size === 0) return false;
    for (const { hangsAtMs } of this.#underWay.values()) return hangsAtMs < nowMs;
    return false;
  }

  sent({ id, uploadAtMs, uploadMs, latencyMs, coldStartMs, hangsAtMs }: CallSent): void {
    const isIdle = this.#instances.isIdle(uploadAtMs);
    const followed = isIdle ? undefined : this.#toFollow(uploadAtMs + uploadMs);
    if (followed === undefined) this.#instances.hold(uploadAtMs);
    else followed.isFollowed = true;
    const isCold = followed === undefined && !isIdle;
    this.#most = Math.max(this.#most * mostMemory, this.#underWay.size + 1);
    this.#underWay.set(id, {
      backAtMs: uploadAtMs + latencyMs + (isCold ? coldStartMs : 0),
      hangsAtMs,
      reachAtMs: uploadAtMs + uploadMs + this.#oneWayMs,
      isCold,
      isFollowed: false,
    });
  }

  /** @param answeredAtMs undefined when the call has failed, and its instance may be gone */
  ended(id: number, answeredAtMs: number | undefined): void {
    const call = this.#underWay.get(id);
    this.#underWay.delete(id);
    if (call === undefined || call.isFollowed) return;
    if (answeredAtMs === undefined || this.#isTaken(answeredAtMs)) this.#instances.drop();
    else this.#instances.release(answeredAtMs);
  }

  get #oneWayMs(): number {
    return this.#link.rttMs / 2;
  }

  /** A call under way whose instance is expected to be idle when a call gets there whose upload ends then. */
  #toFollow(uploadEndMs: number): CallUnderWay | undefined {
    if (this.#underWay.size === 0) return undefined;
    for (const call of this.#underWay.values()) {
      if (!call.isFollowed && call.backAtMs - this.#oneWayMs <= uploadEndMs + this.#oneWayMs) return call;
    }
    return undefined;
  }

  /**
   * Whether a call that was to start an instance takes the one that has just ended a call: it was sent while the answer was
   * on its way, and reached the platform after the instance was idle.
   */
  #isTaken(answeredAtMs: number): boolean {
    const idleAtMs = answeredAtMs - this.#oneWayMs;
    for (const call of this.#underWay.values()) {
      if (!call.isCold || call.reachAtMs < idleAtMs) continue;
      call.isCold = false;
      return true;
    }
    return false;
  }
}
