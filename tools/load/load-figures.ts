/** Counts of a load, in bounded memory for any number of requests. */
import { LatencyHistogram } from "../../base/latency-histogram.ts";

/** Further reasons are counted as one. */
const mostReasons = 32;

export class LoadFigures {
  /** From the scheduled moment to the complete answer. */
  readonly latency = new LatencyHistogram();
  /** From the scheduled moment until the generator sent: the generator's own delay. */
  readonly lateness = new LatencyHistogram();
  readonly #errors = new Map<string, number>();
  readonly #startedAtMs: number;
  #answered = 0;
  #failed = 0;
  #lastAtMs: number;
  #underWay = 0;
  #mostUnderWay = 0;

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
    this.#lastAtMs = startedAtMs;
  }

  get answered(): number {
    return this.#answered;
  }

  get failed(): number {
    return this.#failed;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get mostUnderWay(): number {
    return this.#mostUnderWay;
  }

  /** From the start to the last answer or failure, in seconds. */
  get durationS(): number {
    return (this.#lastAtMs - this.#startedAtMs) / 1_000;
  }

  /** Number of failures by reason, the most frequent first. */
  get errors(): Record<string, number> {
    return Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a));
  }

  sent(dueAtMs: number, atMs: number): void {
    this.lateness.add(Math.max(0, atMs - dueAtMs));
    this.#underWay++;
    this.#mostUnderWay = Math.max(this.#mostUnderWay, this.#underWay);
  }

  /** A sent request was answered. */
  answer(dueAtMs: number, atMs: number): void {
    this.latency.add(atMs - dueAtMs);
    this.#answered++;
    this.#underWay--;
    this.#lastAtMs = atMs;
  }

  /** A sent request was not answered. */
  fail(reason: string, atMs: number): void {
    this.#underWay--;
    this.leaveOut(reason, atMs);
  }

  /** A request was not sent. */
  leaveOut(reason: string, atMs: number): void {
    const counted = this.#errors.has(reason) || this.#errors.size < mostReasons ? reason : "other";
    this.#errors.set(counted, (this.#errors.get(counted) ?? 0) + 1);
    this.#failed++;
    this.#lastAtMs = atMs;
  }
}
