/**
 * A decision to wait that stays valid while nothing happens but a few requests joining the end of a long
 * line. It keeps the work for each arrival small when many requests wait.
 */
import { hasRoom, type TargetView } from "../../targets/target-view.ts";
import type { QueueView, WaitDecision } from "../policy.ts";

/** A line may grow by this part before the decision is made anew. */
const growth = 1 / 32;

export class StandingDecision {
  #decision: WaitDecision | undefined;
  #key = "";
  #targets: QueueView["targets"] = [];
  #length = 0;
  /** When the first request arrived: at its deadline the queue takes it away without a word. */
  #firstArrivedAtMs = 0;
  #draining = false;
  #version = 0;
  /** Batches in flight, by target, where fewer may make a place that the line waits for. */
  readonly #inFlight: number[] = [];

  /** @param version counts changes to what is known of the targets, which batches of other lines cause too */
  keep({ nowMs, line, targets, draining }: QueueView, decision: WaitDecision, version: number): void {
    this.#decision = decision;
    this.#key = line.key;
    this.#targets = targets;
    this.#length = line.length;
    this.#firstArrivedAtMs = line.at(0).arrivedAtMs;
    this.#draining = draining;
    this.#version = version;
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index] as TargetView;
      const { inFlight } = target;
      // Mostly functions have no call, and then it does not matter whether they have room.
      this.#inFlight[index] =
        inFlight > 0 && (target.kind === "edge" || !hasRoom(target, nowMs)) ? inFlight : 0;
    }
  }

  /** From now on there is none. */
  drop(): void {
    this.#decision = undefined;
  }

  /** Whether there is one that may still be valid. */
  get isThere(): boolean {
    return this.#decision !== undefined;
  }

  /** The decision, if it is still valid for this view. */
  in({ nowMs, line, targets, draining }: QueueView, version: number): WaitDecision | undefined {
    const { length } = line;
    if (this.#decision === undefined || nowMs >= this.#decision.untilMs) return undefined;
    if (length < this.#length || length > this.#length * (1 + growth)) return undefined;
    if (version !== this.#version || line.at(0).arrivedAtMs !== this.#firstArrivedAtMs) return undefined;
    // The policy is not told of batches that are too large for it, and yet they take places.
    for (let index = 0; index < targets.length; index++)
      if ((targets[index] as TargetView).inFlight < (this.#inFlight[index] ?? 0)) return undefined;
    // Requests of the same key with other eligible targets are another line.
    if (line.key !== this.#key || targets !== this.#targets || draining !== this.#draining) return undefined;
    // A new request that is not at the end has an earlier deadline than others and may be urgent.
    return length === this.#length || line.at(length - 1).arrivedAtMs === nowMs ? this.#decision : undefined;
  }
}
