/**
 * A process of the swarm: whether it runs, which of its lives it is in, and its connection to the message server. What
 * was arranged in one life never happens in a later one.
 */
import type { Clock } from "../../../base/clock.ts";
import { StalledClock } from "../../outages/stalled-clock.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { FaultSpan, SwarmProcess } from "./swarm-world.ts";

export class Process {
  readonly name: string;
  /** Counts the lives from 0. */
  life = 0;
  isUp = true;
  readonly cuts: readonly FaultSpan[];
  readonly #spec: SwarmProcess;
  readonly #clock: VirtualClock;
  readonly #machine: StalledClock;
  /** When the last message of a direction arrives: messages do not overtake each other. */
  readonly #lastAtMs = { up: 0, down: 0 };

  /** @param onKilled, onStarted called at the beginning and the end of each of its kills */
  constructor(spec: SwarmProcess, clock: VirtualClock, onKilled: () => void, onStarted: () => void) {
    this.name = spec.name;
    this.cuts = spec.cuts;
    this.#spec = spec;
    this.#clock = clock;
    this.#machine = new StalledClock(clock, spec.stalls);
    for (const { fromMs, toMs } of spec.kills) {
      clock.schedule(fromMs, () => {
        this.isUp = false;
        this.life++;
        onKilled();
      });
      clock.schedule(toMs, () => {
        this.isUp = true;
        onStarted();
      });
    }
  }

  /** Call `run` when the process notices what happens at `atMs`, unless it is killed before. */
  at(atMs: number, run: () => void): void {
    const { life } = this;
    this.#clock.schedule(this.#machine.noticedAtMs(atMs), () => {
      if (this.isUp && this.life === life) run();
    });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#clock.nowMs() + delayMs, run);
  }

  /** Call `run` again and again, from now on. */
  every(periodMs: number, run: () => void): void {
    run();
    this.after(periodMs, () => this.every(periodMs, run));
  }

  /** The clock of this life: its timers end with it. */
  clockOfLife(): Clock {
    const { life } = this;
    return {
      nowMs: () => this.#clock.nowMs(),
      createTimer: (fire) =>
        this.#machine.createTimer(() => {
          if (this.isUp && this.life === life) fire();
        }),
    };
  }

  /** Send a message to the server; it is lost when this process is cut off, or the server dies before it arrives. */
  up(server: Process, deliver: () => void): void {
    const atMs = this.#arrivalMs("up");
    const { life } = server;
    this.#clock.schedule(atMs, () => {
      if (server.isUp && server.life === life && !isIn(this.cuts, atMs)) deliver();
    });
  }

  /** Take a message from the server; it is lost when this process is cut off, or dies before it arrives. */
  down(deliver: () => void): void {
    const atMs = this.#arrivalMs("down");
    const { life } = this;
    if (isIn(this.cuts, atMs)) return;
    this.#clock.schedule(this.#machine.noticedAtMs(atMs), () => {
      if (this.isUp && this.life === life) deliver();
    });
  }

  #arrivalMs(way: "up" | "down"): number {
    const nowMs = this.#clock.nowMs();
    // Sent during a cut: it arrives within it, that is, never.
    if (isIn(this.cuts, nowMs)) return nowMs;
    this.#lastAtMs[way] = Math.max(this.#lastAtMs[way], nowMs + this.#spec.oneWayMs);
    return this.#lastAtMs[way];
  }
}

function isIn(spans: readonly FaultSpan[], atMs: number): boolean {
  return spans.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}
