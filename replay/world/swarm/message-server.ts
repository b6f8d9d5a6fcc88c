/**
 * A model of nats-server with JetStream, as far as daemons and edges use it: a work queue with explicit acknowledgements,
 * one pinned consumer for each model, results of which a subject has at most one, and leases. What is stored survives a
 * kill; who waits for messages, the pins and the subscriptions do not. Times are those of the real server with the settings
 * that daemons give it.
 */
import type { Split } from "../../../client/targets/share-out.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Process } from "./process.ts";

export const pinMs = 2_000;
export const ackWaitMs = 3_000;
export const leaseMs = 2_000;
/** How long an id of a message is remembered. */
const duplicatesMs = 120_000;
const mostMessages = 10_000;

/** A request in the work queue. */
export interface QueuedMessage {
  readonly sequence: number;
  readonly id: string;
  readonly model: string;
  /** That of its model, or of the model's part that it is in: `queueOf`. */
  readonly queue: string;
  readonly content: number;
  /** Undefined: it has no deadline. */
  readonly deadlineAtMs: number | undefined;
  /** Process that waits for the result. */
  readonly front: string;
}

/** What became of a request: its answer, or the code of an error. */
export interface Result {
  readonly id: string;
  readonly by: string;
  readonly answer: number | string;
}

export interface Lease {
  readonly name: string;
  /** Of an edge. */
  readonly model?: string;
  /** Of a daemon: the edges that it reaches. */
  readonly edges?: readonly string[];
  /** The life of the process that wrote it. */
  readonly epoch: number;
}

/** The queue of a model, or of a part of one that has several owners. */
export function queueOf(model: string, part: number): string {
  return part === 0 ? model : `${model}, part ${part}`;
}

interface Waiting {
  readonly client: Process;
  readonly life: number;
  readonly untilMs: number;
  room: number;
  readonly deliver: (message: QueuedMessage) => void;
}

interface Consumer {
  waiting: Waiting[];
  pinned: { readonly client: string; readonly life: number; pulledAtMs: number } | undefined;
  /** Whether a look at the end of the pin is arranged. */
  isWatched: boolean;
}

interface Queued {
  readonly message: QueuedMessage;
  /** When it may be delivered, or delivered again. */
  dueAtMs: number;
  deliveries: number;
}

export class MessageServer {
  /** In order of sequence. */
  readonly queued = new Map<number, Queued>();
  /** By id; more than one where results were stored without the expectation that there is none. */
  readonly results = new Map<string, Result[]>();
  split: Split = { owners: 1, parts: 1 };
  /** Results of other owners than the one whose result is there. */
  refusedResults = 0;
  readonly #clock: VirtualClock;
  readonly #process: Process;
  readonly #ids = new Map<string, { readonly sequence: number; readonly atMs: number }>();
  readonly #leases = new Map<string, Lease & { renewedAtMs: number }>();
  readonly #consumers = new Map<string, Consumer>();
  #watchers: (() => void)[] = [];
  #listeners = new Map<string, (result: Result) => void>();
  #published = 0;

  constructor(clock: VirtualClock, process: Process) {
    this.#clock = clock;
    this.#process = process;
  }

  /** The server is killed: everything that is not stored is gone. */
  killed(): void {
    this.#consumers.clear();
    this.#watchers = [];
    this.#listeners = new Map();
  }

  /** It runs again with what was stored; what was delivered comes again when its time to acknowledge is over. */
  started(): void {
    for (const { message, dueAtMs } of this.queued.values()) {
      this.#at(dueAtMs, () => this.#pump(message.queue));
      this.#forgetAtDeadline(message);
    }
    for (const { name, renewedAtMs } of this.#leases.values()) this.#expire(name, renewedAtMs);
  }

  /** @returns undefined when the queue is full */
  publish(message: Omit<QueuedMessage, "sequence">): { readonly isDuplicate: boolean } | undefined {
    const nowMs = this.#clock.nowMs();
    const known = this.#ids.get(message.id);
    if (known !== undefined && nowMs - known.atMs < duplicatesMs) return { isDuplicate: true };
    if (this.queued.size >= mostMessages) return undefined;
    const sequence = ++this.#published;
    this.#ids.set(message.id, { sequence, atMs: nowMs });
    const stored = { ...message, sequence };
    this.queued.set(sequence, { message: stored, dueAtMs: nowMs, deliveries: 0 });
    this.#forgetAtDeadline(stored);
    this.#pump(message.queue);
    return { isDuplicate: false };
  }

  /**
   * Ask for messages of a queue. Only the pinned client gets any; it stays so by asking again within `pinMs`.
   *
   * @returns whether another client is pinned
   */
  pull(
    queue: string,
    {
      client,
      room,
      expiresMs,
      deliver,
    }: Pick<Waiting, "client" | "room" | "deliver"> & { expiresMs: number },
  ): boolean {
    const consumer = this.#consumer(queue);
    const nowMs = this.#clock.nowMs();
    const isOther = (other: { client: string | Process; life: number }): boolean => {
      const name = typeof other.client === "string" ? other.client : other.client.name;
      return name !== client.name || other.life !== client.life;
    };
    consumer.waiting = consumer.waiting.filter((each) => isOther(each) && each.untilMs > nowMs);
    consumer.waiting.push({ client, life: client.life, untilMs: nowMs + expiresMs, room, deliver });
    if (consumer.pinned !== undefined && !isOther(consumer.pinned)) consumer.pinned.pulledAtMs = nowMs;
    this.#pump(queue);
    return consumer.pinned !== undefined && isOther(consumer.pinned);
  }

  /** A client that asks for nothing more lets the next one begin. */
  unpin(queue: string, client: Pick<Process, "name" | "life">): void {
    const consumer = this.#consumer(queue);
    consumer.waiting = consumer.waiting.filter((each) => each.client.name !== client.name);
    if (consumer.pinned?.client === client.name && consumer.pinned.life === client.life)
      consumer.pinned = undefined;
    this.#pump(queue);
  }

  /** Split every model over so many owners from now on; parts never become fewer. */
  splitOver(owners: number): void {
    this.split = { owners, parts: Math.max(this.split.parts, owners > 1 ? 4 * owners : 1) };
    this.#changed();
  }

  /** Acknowledgements are not fenced: anybody's counts, also after another delivery. */
  ack(sequence: number): void {
    this.queued.delete(sequence);
  }

  /** The message is still worked on. */
  working(sequence: number): void {
    const queued = this.queued.get(sequence);
    if (queued !== undefined && queued.deliveries > 0) this.#dueIn(queued, ackWaitMs);
  }

  /** Deliver it again, after a delay. */
  giveBack(sequence: number, delayMs: number): void {
    const queued = this.queued.get(sequence);
    if (queued !== undefined) this.#dueIn(queued, delayMs);
  }

  /** @returns false when the subject has a result, and none was expected */
  store(result: Result, expectsNone: boolean): boolean {
    const there = this.results.get(result.id);
    if (there === undefined) this.results.set(result.id, [result]);
    else if (expectsNone) {
      if (there[0]?.by !== result.by) this.refusedResults++;
      return false;
    } else there.push(result);
    this.#listeners.get(result.id.split("/")[0] as string)?.(result);
    return true;
  }

  /** Hear of the results of a front while the connection lasts. */
  listen(front: string, heard: (result: Result) => void): void {
    this.#listeners.set(front, heard);
  }

  renew(lease: Lease): void {
    const known = this.#leases.get(lease.name);
    const renewedAtMs = this.#clock.nowMs();
    this.#leases.set(lease.name, { ...lease, renewedAtMs });
    this.#expire(lease.name, renewedAtMs);
    if (known?.epoch !== lease.epoch || known.edges?.join() !== lease.edges?.join()) this.#changed();
  }

  /** @param changed called after each change, from now on while the connection lasts */
  watch(changed: () => void): void {
    this.#watchers.push(changed);
    changed();
  }

  leases(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  #consumer(queue: string): Consumer {
    let consumer = this.#consumers.get(queue);
    if (consumer === undefined)
      this.#consumers.set(queue, (consumer = { waiting: [], pinned: undefined, isWatched: false }));
    return consumer;
  }

  #dueIn(queued: Queued, delayMs: number): void {
    queued.dueAtMs = this.#clock.nowMs() + delayMs;
    this.#at(queued.dueAtMs, () => this.#pump(queued.message.queue));
  }

  #at(atMs: number, run: () => void): void {
    this.#process.at(atMs, run);
  }

  #forgetAtDeadline({ sequence, deadlineAtMs }: QueuedMessage): void {
    if (deadlineAtMs !== undefined) this.#at(deadlineAtMs, () => this.queued.delete(sequence));
  }

  #expire(name: string, renewedAtMs: number): void {
    this.#at(renewedAtMs + leaseMs, () => {
      if (this.#leases.get(name)?.renewedAtMs !== renewedAtMs) return;
      this.#leases.delete(name);
      this.#changed();
    });
  }

  #changed(): void {
    for (const changed of this.#watchers) changed();
  }

  #pump(queue: string): void {
    const consumer = this.#consumer(queue);
    const nowMs = this.#clock.nowMs();
    consumer.waiting = consumer.waiting.filter(({ untilMs, room }) => untilMs > nowMs && room > 0);
    if (consumer.pinned !== undefined && nowMs >= consumer.pinned.pulledAtMs + pinMs)
      consumer.pinned = undefined;
    if (consumer.pinned === undefined) {
      const [first] = consumer.waiting;
      if (first === undefined) return;
      consumer.pinned = { client: first.client.name, life: first.life, pulledAtMs: nowMs };
    }
    const { pinned } = consumer;
    if (!consumer.isWatched) {
      consumer.isWatched = true;
      this.#at(pinned.pulledAtMs + pinMs, () => {
        consumer.isWatched = false;
        this.#pump(queue);
      });
    }
    const waiting = consumer.waiting.find(
      ({ client, life }) => client.name === pinned.client && life === pinned.life,
    );
    if (waiting === undefined) return;
    for (const queued of this.queued.values()) {
      if (waiting.room === 0) return;
      if (queued.message.queue !== queue || queued.dueAtMs > nowMs) continue;
      waiting.room--;
      queued.deliveries++;
      this.#dueIn(queued, ackWaitMs);
      waiting.deliver(queued.message);
    }
  }
}
