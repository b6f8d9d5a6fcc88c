/** The connection of one life of a process to the message server. Requests on it may be lost on either way. */
import type { Process } from "./process.ts";
import type { MessageServer } from "./message-server.ts";
import type { VirtualClock } from "../virtual-clock.ts";

/** How long an answer is waited for before the request is sent again. */
const answerMs = 1_000;
/** How long after a server has started its clients are connected again, at the earliest. */
const reconnectMs = 250;

export interface ServerOfSwarm {
  readonly process: Process;
  readonly messages: MessageServer;
  /** Called when the server has started again, until its return value is called. */
  readonly onStart: (started: () => void) => void;
}

export class SwarmConnection {
  readonly process: Process;
  readonly #life: number;
  readonly #clock: VirtualClock;
  readonly #server: ServerOfSwarm;

  constructor(process: Process, clock: VirtualClock, server: ServerOfSwarm) {
    this.process = process;
    this.#life = process.life;
    this.#clock = clock;
    this.#server = server;
  }

  get server(): Process {
    return this.#server.process;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Call `run` now, and whenever the connection is made again. */
  whenConnected(run: () => void): void {
    run();
    const again = (): void => {
      if (this.process.life === this.#life) this.process.after(reconnectMs, run);
    };
    this.#server.onStart(again);
    // A connection that was cut off is closed and made again.
    for (const { toMs } of this.process.cuts) if (toMs > this.nowMs()) this.process.at(toMs, again);
  }

  /** Send something to the server and expect no answer. */
  tell(what: (messages: MessageServer) => void): void {
    this.process.up(this.#server.process, () => what(this.#server.messages));
  }

  /** At the server: have this life hear of something. */
  hear(deliver: () => void): void {
    if (this.process.life === this.#life) this.process.down(deliver);
  }

  ask<T>(what: (messages: MessageServer) => T, answered: (answer: T) => void): void {
    this.tell((messages) => {
      const answer = what(messages);
      this.hear(() => answered(answer));
    });
  }

  /** Ask again and again until there is an answer, or `isEnough`; `answered` is called at most once. */
  askUntilAnswered<T>(
    what: (messages: MessageServer) => T,
    answered: (answer: T) => void,
    isEnough: () => boolean = () => false,
  ): void {
    let isAnswered = false;
    const attempt = (): void => {
      if (isAnswered || isEnough()) return;
      this.ask(what, (answer) => {
        if (isAnswered) return;
        isAnswered = true;
        answered(answer);
      });
      this.process.after(answerMs, attempt);
    };
    attempt();
  }
}
