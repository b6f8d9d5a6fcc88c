/**
 * Messages that a work queue holds and its consumer takes for done, so that nobody is ever given them. Servers leave some
 * when they are killed, or lose what a consumer was; a consumer that is made anew is given them again.
 */
import type { Engine } from "../../../../base/nats/engine.ts";
import { apiCodes, codeOf } from "./bus-streams.ts";

export interface LookedAtQueue {
  readonly stream: string;
  readonly filter: string;
  readonly consumer: string;
}

export class StuckMessages {
  readonly #manager: Engine["manager"];
  readonly #queue: LookedAtQueue;
  /** Sequence of the one that was found before. */
  #seen: number | undefined;

  constructor(manager: Engine["manager"], queue: LookedAtQueue) {
    this.#manager = manager;
    this.#queue = queue;
  }

  /** Whether the oldest message is stuck, and was when this was called before: one may just be on its way out. */
  async areThere(): Promise<boolean> {
    const { stream, filter, consumer } = this.#queue;
    const before = this.#seen;
    this.#seen = undefined;
    const { ack_floor: floor } = await this.#manager.consumers.info(stream, consumer);
    // The first of the filter: the client's type knows less than the server.
    const first = { next_by_subj: filter, seq: 1 };
    const oldest = await this.#manager.streams.getMessage(stream, first).catch((error: unknown) => {
      if (codeOf(error) === apiCodes.noMessage) return null;
      throw error;
    });
    if (oldest === null || oldest.seq > floor.stream_seq) return false;
    this.#seen = oldest.seq;
    return before === oldest.seq;
  }
}
