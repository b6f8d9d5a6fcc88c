/** An edge of the swarm: it renews its lease, and serves the batches that come to it through the message server. */
import type { VirtualClock } from "../virtual-clock.ts";
import { leaseMs, type MessageServer } from "./message-server.ts";
import { Process } from "./process.ts";
import type { SwarmEdge } from "./swarm-world.ts";

/** Answered with the time that the model ran. */
export type BatchAnswered = (serviceMs: number, queuedMs: number) => void;

interface Held {
  readonly rows: number;
  readonly reachedAtMs: number;
  readonly answered: BatchAnswered;
}

export class EdgeProcess {
  readonly spec: SwarmEdge;
  readonly process: Process;
  readonly #clock: VirtualClock;
  readonly #server: { readonly process: Process; readonly messages: MessageServer };
  #queue: Held[] = [];
  #busy = 0;

  constructor(spec: SwarmEdge, clock: VirtualClock, server: { process: Process; messages: MessageServer }) {
    this.spec = spec;
    this.#clock = clock;
    this.#server = server;
    this.process = new Process(
      spec,
      clock,
      () => {
        this.#queue = [];
        this.#busy = 0;
      },
      () => this.#start(),
    );
    this.#start();
  }

  /** Take a batch from the server. */
  serve(rows: number, answered: BatchAnswered): void {
    this.#queue.push({ rows, reachedAtMs: this.#clock.nowMs(), answered });
    this.#next();
  }

  #start(): void {
    const { process, spec } = this;
    const lease = { name: spec.name, model: spec.model, epoch: process.life };
    process.every(leaseMs / 3, () => {
      process.up(this.#server.process, () => this.#server.messages.renew(lease));
    });
  }

  #next(): void {
    const { spec, process } = this;
    if (this.#busy >= spec.places) return;
    const held = this.#queue.shift();
    if (held === undefined) return;
    this.#busy++;
    const queuedMs = this.#clock.nowMs() - held.reachedAtMs;
    const serviceMs = spec.firstRowMs + (held.rows - 1) * spec.nextRowMs;
    process.after(serviceMs, () => {
      this.#busy--;
      process.up(this.#server.process, () => held.answered(serviceMs, queuedMs));
      this.#next();
    });
  }
}
