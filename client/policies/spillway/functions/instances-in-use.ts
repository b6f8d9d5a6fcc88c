/**
 * The calls of one function size that are under way, and the instances that they use: so whether the next call finds a warm
 * instance, and when one that is busy will be idle.
 */
import type { LinkModel } from "../../../../algorithms/network/link-model.ts";
import { TurnoverMap } from "../../../../base/memory/turnover-map.ts";
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
  /** Whether it seems to take the instance of a call that was under way when it was sent. */
  isShared: boolean;
  /** Since when the idle instance has been idle that it seems to take. */
  idleSinceMs: number | undefined;
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
  readonly #underWay = new TurnoverMap<number, CallUnderWay>();
  #most = 0;
  /** Of the answered calls, the one that was sent last. */
  #answeredId = -1;

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
    const uploadEndMs = uploadAtMs + uploadMs;
    return (
      this.#instances.isIdle(this.#idleUntilMs(uploadEndMs)) || this.#toFollow(uploadEndMs) !== undefined
    );
  }

  /** When the first instance that has a call is expected to be idle, at `nowMs` or later; Infinity: none has. */
  idleAtMs(nowMs: number): number {
    let idleAtMs = Infinity;
    for (const { backAtMs } of this.#underWay.values()) {
      if (backAtMs >= nowMs) idleAtMs = Math.min(idleAtMs, backAtMs);
    }
    return idleAtMs;
  }

  /** Whether the oldest call hangs, and none that was sent after it has been answered. */
  hangs(nowMs: number): boolean {
    // Mostly nothing is under way, and an iterator is not made for nothing.
    if (this.#underWay.size === 0) return false;
    for (const [id, { hangsAtMs }] of this.#underWay) return hangsAtMs < nowMs && this.#answeredId < id;
    return false;
  }

  sent({ id, uploadAtMs, uploadMs, latencyMs, coldStartMs, hangsAtMs }: CallSent): void {
    const idleUntilMs = this.#idleUntilMs(uploadAtMs + uploadMs);
    const isIdle = this.#instances.isIdle(idleUntilMs);
    const followed = isIdle ? undefined : this.#toFollow(uploadAtMs + uploadMs);
    const idleSinceMs = followed === undefined ? this.#instances.hold(idleUntilMs) : undefined;
    if (followed !== undefined) followed.isFollowed = true;
    const isCold = followed === undefined && !isIdle;
    this.#most = Math.max(this.#most * mostMemory, this.#underWay.size + 1);
    this.#underWay.set(id, {
      backAtMs: uploadAtMs + latencyMs + (isCold ? coldStartMs : 0),
      hangsAtMs,
      reachAtMs: uploadAtMs + uploadMs + this.#oneWayMs,
      isCold,
      isShared: followed !== undefined,
      idleSinceMs,
      isFollowed: false,
    });
  }

  /**
   * @param answeredAtMs undefined when the call has failed, and its instance may be gone
   * @param coldStartMs 0 when it found a warm instance; undefined when nobody knows
   */
  ended(id: number, answeredAtMs: number | undefined, coldStartMs?: number): void {
    const call = this.#underWay.get(id);
    if (call === undefined) return;
    this.#underWay.delete(id);
    if (answeredAtMs !== undefined) this.#answeredId = Math.max(this.#answeredId, id);
    // The instance of the call before it is still there when it had to start one, and one more is in use when it had not.
    if (call.isShared && (coldStartMs ?? 0) > 0) this.#instances.found(call.reachAtMs);
    if (call.isCold && coldStartMs === 0) this.#instances.taken(call.reachAtMs);
    if (call.isFollowed) return;
    if (answeredAtMs === undefined) return this.#instances.drop();
    const taker = this.#takerOf(answeredAtMs);
    if (taker === undefined) return this.#instances.release(answeredAtMs);
    this.#instances.drop();
    // The instance that it seemed to take stays idle.
    if (taker.idleSinceMs !== undefined) this.#instances.found(taker.idleSinceMs);
    taker.idleSinceMs = answeredAtMs;
    taker.isCold = false;
    taker.isShared = true;
  }

  /** Until when an instance must be idle for that call, by the time at which answers came: it was idle before they did. */
  #idleUntilMs(uploadEndMs: number): number {
    return uploadEndMs + this.#link.rttMs;
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
   * The call that takes the instance which has just ended another one: it was sent while the answer was on its way, and reached
   * the platform after the instance was idle. The platform uses the instance that was used last.
   */
  #takerOf(answeredAtMs: number): CallUnderWay | undefined {
    const idleAtMs = answeredAtMs - this.#oneWayMs;
    for (const call of this.#underWay.values())
      if ((call.isCold || call.idleSinceMs !== undefined) && call.reachAtMs >= idleAtMs) return call;
    return undefined;
  }
}
