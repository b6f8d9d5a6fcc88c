/**
 * The messages of QoS 1 that a connection has delivered and that are not acknowledged yet. MQTT wants acknowledgements in
 * the order of arrival, so one that is done waits for those before it. A connection that breaks takes the right to
 * acknowledge with it: the broker delivers these messages again on the next one, with the same ids, and they are
 * recognized, so that what is being worked on is not started twice.
 *
 *     const acks = new OrderedAcks<Message>((id) => sendPuback(id), (a, b) => a.payload.equals(b.payload));
 *     const held = acks.arrived(7, message); // undefined: it is being worked on since an earlier connection
 *     if (held !== undefined) void work(message).then(() => acks.done(held));
 */

import { TurnoverMap } from "../../../../../base/memory/turnover-map.ts";
/** Most messages of earlier connections that are remembered; of those beyond it the oldest are started again. */
const mostEarlier = 4_096;

/** A message that is held, and what became of it. */
export interface HeldMessage<M> {
  readonly messageId: number;
  readonly message: M;
  isDone: boolean;
}

export class OrderedAcks<M> {
  readonly #acknowledge: (messageId: number) => void;
  readonly #isSame: (a: M, b: M) => boolean;
  /** Of this connection, by id in the order of arrival. */
  readonly #held = new TurnoverMap<number, HeldMessage<M>>();
  /** Of earlier connections, and not delivered again yet. */
  readonly #earlier = new TurnoverMap<number, HeldMessage<M>>();

  /**
   * @param acknowledge sends the acknowledgement on the connection of now
   * @param isSame whether two deliveries are of one message
   */
  constructor(acknowledge: (messageId: number) => void, isSame: (a: M, b: M) => boolean) {
    this.#acknowledge = acknowledge;
    this.#isSame = isSame;
  }

  /** Messages that the broker of this connection waits for. */
  get size(): number {
    return this.#held.size;
  }

  /** @returns undefined for a message that was delivered before and is being worked on, or is done */
  arrived(messageId: number, message: M): HeldMessage<M> | undefined {
    const here = this.#held.get(messageId);
    if (here !== undefined && this.#isSame(here.message, message)) return undefined;
    const earlier = this.#earlier.get(messageId);
    this.#earlier.delete(messageId);
    if (earlier !== undefined && this.#isSame(earlier.message, message)) {
      this.#held.set(messageId, earlier);
      this.#flush();
      return undefined;
    }
    const held = { messageId, message, isDone: false };
    // A broker that uses an id again has given up the message that had it.
    this.#held.delete(messageId);
    this.#held.set(messageId, held);
    return held;
  }

  /** The message may be acknowledged, which happens when those before it are. */
  done(held: HeldMessage<M>): void {
    held.isDone = true;
    this.#flush();
  }

  /** The message was not begun and is not remembered: the broker delivers it again on the next connection. */
  forget(held: HeldMessage<M>): void {
    if (this.#held.get(held.messageId) === held) this.#held.delete(held.messageId);
    if (this.#earlier.get(held.messageId) === held) this.#earlier.delete(held.messageId);
  }

  /** The connection is gone. */
  disconnected(): void {
    for (const [messageId, held] of this.#held) this.#earlier.set(messageId, held);
    this.#held.clear();
    for (const [messageId] of this.#earlier) {
      if (this.#earlier.size <= mostEarlier) return;
      this.#earlier.delete(messageId);
    }
  }

  /** The broker has no session of ours: it does not know what it has delivered. */
  sessionLost(): void {
    this.#earlier.clear();
  }

  #flush(): void {
    for (const [messageId, { isDone }] of this.#held) {
      if (!isDone) return;
      this.#held.delete(messageId);
      this.#acknowledge(messageId);
    }
  }
}
