/**
 * One model's place in the line of its owners: the server gives its requests to one daemon at a time, and to the next when
 * that one no longer asks. Before 2.11 servers give them to all who ask, in turn.
 */
import { setTimeout as delay } from "node:timers/promises";
import { AckPolicy, type ConsumerConfig, type ConsumerMessages, type JsMsg } from "@nats-io/jetstream";
import type { Logger } from "pino";
import { SpillwayError } from "../../../../base/errors.ts";
import type { Engine } from "../../../../base/nats/engine.ts";
import { apiCodes, codeOf, nanosPerMs } from "./bus-streams.ts";
import { sentError } from "./bus-message.ts";
import type { LargeBodies } from "./large-bodies.ts";
import { plain } from "./plain-headers.ts";
import { StuckMessages } from "./stuck-messages.ts";
import type { BusResult, BusDelivery, OwnerHandlers } from "./request-bus.ts";

export interface ConsumerLimits {
  /** Most requests of a model in work at once, by whoever. */
  readonly window: number;
  /** A request that nobody tells to be in work for so long is given to the next, in milliseconds. */
  readonly ackWaitMs: number;
  /** An owner that does not ask for so long is none any more, in milliseconds from 1,500. */
  readonly pinMs: number;
  /** How often messages are looked for that are stuck, in milliseconds. Default: 30,000. */
  readonly lookEveryMs?: number;
}

/** A work queue that has a consumer for each model; the last two tokens of a subject are the key. */
export interface ConsumedQueue {
  readonly stream: string;
  readonly filter: (model: string) => string;
  readonly consumer: (model: string) => string;
  /** A consumer that nobody asks for so long is removed, in milliseconds: no message is left then. */
  readonly unusedMs: number;
}

export interface ModelConsumerOptions {
  readonly queue: ConsumedQueue;
  readonly model: string;
  readonly handlers: OwnerHandlers;
  readonly engine: Engine;
  readonly limits: ConsumerLimits;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  readonly serverNowMs: () => number;
  readonly store: (key: string, result: BusResult) => Promise<boolean>;
  /** Where bodies are that are larger than a message. Default: there are none. */
  readonly bodies?: Pick<LargeBodies, "nameIn" | "ageIn" | "fetch">;
}

/** What the client's own type leaves out. */
interface PinnedInfo {
  readonly priority_groups?: readonly { readonly pinned_client_id?: string }[];
}

const group = "own";
/** The least that the client takes; it must be below the time of a pin, which every question renews. */
const askEveryMs = 1_000;
const againMs = 500;
const leaveMs = 2_000;
/** The longest that the server gives nothing to anybody while a daemon hands over. */
const pauseMs = 1_000;
const usualLookMs = 30_000;
/** So often a body is fetched that does not come. */
const mostFetches = 5;

type Headers = BusDelivery["headers"];
export class ModelConsumer {
  readonly #options: ModelConsumerOptions;
  readonly #running: Promise<void>;
  readonly #stop = new AbortController();
  /** Names of bodies that are fetched, or in work. */
  readonly #held = new Set<string>();
  readonly #stuck: StuckMessages;
  #messages: ConsumerMessages | undefined;
  #isPinned = false;
  /** The server's name for our ownership, as our last message told it. */
  #pin: string | undefined;
  #told: string | undefined;

  constructor(options: ModelConsumerOptions) {
    const { engine, limits, model, queue } = options;
    this.#options = options;
    this.#stuck = new StuckMessages(engine.manager, {
      stream: queue.stream,
      filter: queue.filter(model),
      consumer: queue.consumer(model),
    });
    this.#running = this.#run();
    const everyMs = limits.lookEveryMs ?? usualLookMs;
    const timer = setInterval(() => void this.#freeStuck().catch(() => {}), everyMs).unref();
    this.#stop.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** The same, and nothing that is on its way here comes late to the next owner. */
  async handOver(): Promise<void> {
    const { engine, model, queue } = this.#options;
    const { consumers } = engine.manager;
    const of = [queue.stream, queue.consumer(model)] as const;
    const isHeld = this.#pin !== undefined && engine.isConnected;
    if (isHeld) await consumers.pause(...of, new Date(Date.now() + pauseMs)).catch(() => {});
    await this.leave();
    if (isHeld) await consumers.resume(...of).catch(() => {});
  }

  /** Asks for nothing more, and lets the next owner begin. What was taken is still to be finished. */
  async leave(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await Promise.race([this.#left(), delay(leaveMs, undefined, { ref: false })]);
  }

  async #left(): Promise<void> {
    await this.#messages?.close();
    await this.#unpin().catch(() => {});
    await this.#running;
  }

  /** The next owner need not wait until the pin is over. Nobody may end the pin of another. */
  async #unpin(): Promise<void> {
    const { engine, model, queue } = this.#options;
    const [stream, name] = [queue.stream, queue.consumer(model)];
    if (!engine.can.pins || this.#pin === undefined || !engine.isConnected) return;
    const info = await engine.manager.consumers.info(stream, name);
    const { priority_groups: groups = [] } = info as PinnedInfo;
    if (groups.some(({ pinned_client_id: id }) => id === this.#pin))
      await engine.manager.consumers.unpin(stream, name, group);
  }

  async #run(): Promise<void> {
    const { log, model } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#consume();
      } catch (error) {
        const why = (error as Error).message;
        if (this.#told !== why)
          log.warn({ model, why }, "the shared queue of the model cannot be read; trying again");
        this.#told = why;
      }
      await delay(againMs, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {});
    }
  }

  async #consume(): Promise<void> {
    const { engine, limits, model, queue } = this.#options;
    await this.#make();
    if (this.#stop.signal.aborted) return;
    const consumer = await engine.js.consumers.get(queue.stream, queue.consumer(model));
    const messages = await consumer.consume({
      max_messages: limits.window,
      expires: askEveryMs,
      abort_on_missing_resource: true,
      callback: (message) => this.#take(message),
      ...(engine.can.pins && { group }),
    });
    this.#messages = messages;
    if (this.#stop.signal.aborted) await messages.close();
    this.#told = undefined;
    void this.#watch(messages);
    const ended = await messages.closed();
    this.#isPinned = false;
    if (ended instanceof Error) throw ended;
  }

  async #watch(messages: ConsumerMessages): Promise<void> {
    const { log, model } = this.#options;
    for await (const { type } of messages.status()) {
      if (type === "consumer_pinned" && !this.#isPinned) {
        this.#isPinned = true;
        log.info({ model }, "this daemon owns the shared queue of the model");
      } else if (type === "consumer_unpinned" && this.#isPinned) {
        this.#isPinned = false;
        log.info({ model }, "another daemon owns the shared queue of the model");
      }
    }
  }

  /** A consumer without a memory is given everything that there is. */
  async #freeStuck(): Promise<void> {
    const { engine, log, model, queue } = this.#options;
    if (!engine.isConnected || !(await this.#stuck.areThere())) return;
    log.warn(
      { model, stream: queue.stream },
      "the server holds messages that it gives to nobody; asking for them anew",
    );
    await engine.manager.consumers.delete(queue.stream, queue.consumer(model));
  }

  /** The same for all daemons, so that whoever comes first makes it. */
  async #make(): Promise<void> {
    const { engine, limits, model, queue } = this.#options;
    const { manager, can } = engine;
    const config: Partial<ConsumerConfig> & { durable_name: string } = {
      durable_name: queue.consumer(model),
      filter_subject: queue.filter(model),
      ack_policy: AckPolicy.Explicit,
      ack_wait: limits.ackWaitMs * nanosPerMs,
      max_ack_pending: limits.window,
      max_deliver: -1,
      inactive_threshold: queue.unusedMs * nanosPerMs,
      ...(can.pins && {
        priority_groups: [group],
        priority_policy: "pinned_client",
        priority_timeout: limits.pinMs * nanosPerMs,
      }),
    };
    try {
      await manager.consumers.add(queue.stream, config);
    } catch (error) {
      if (codeOf(error) === undefined || codeOf(error) === apiCodes.streamMissing) throw error;
      // It is there, with the settings of another version of us or of the server.
      await manager.consumers.update(queue.stream, config.durable_name, config);
    }
  }

  #take(message: JsMsg): void {
    if (this.#stop.signal.aborted) return message.nak();
    const { handlers, bodies } = this.#options;
    const headers = plain(message.headers);
    this.#pin = headers["nats-pin-id"] ?? this.#pin;
    const stored = bodies?.nameIn(headers);
    if (stored === undefined) handlers.take(this.#delivery(message, headers, message.data));
    else void this.#takeStored(message, headers, stored);
  }

  /** Its body is elsewhere: it is fetched when there is room for it, and it is in work until then. */
  async #takeStored(message: JsMsg, headers: Headers, name: string): Promise<void> {
    const { bodies, handlers, limits, log, model, store } = this.#options;
    // It was delivered again: in work it has its time.
    if (this.#held.has(name)) return;
    this.#held.add(name);
    const timer = setInterval(() => message.working(), limits.ackWaitMs / 3);
    const { deliveryCount } = message.info;
    try {
      const fetched = await bodies?.fetch(name, this.#stop.signal);
      clearInterval(timer);
      if (fetched !== undefined) {
        const done = (): void => {
          this.#held.delete(name);
          fetched.done();
        };
        return handlers.take(this.#delivery(message, headers, fetched.body, done));
      }
      this.#held.delete(name);
      if (this.#stop.signal.aborted) return message.nak();
      // Whoever asked has removed it.
      const gone = new SpillwayError("cancelled", "the body of the request is not there any more");
      await store(keyOf(message), sentError(gone));
      message.ack();
    } catch (error) {
      this.#held.delete(name);
      const why = (error as Error).message;
      log.warn({ model, why }, "the body of a request cannot be fetched");
      if (deliveryCount < mostFetches) return message.nak(againMs);
      const fault = new SpillwayError("target_fault", `the body of the request cannot be fetched: ${why}`);
      await store(keyOf(message), sentError(fault)).catch(() => {});
      message.ack();
    } finally {
      clearInterval(timer);
    }
  }

  #delivery(message: JsMsg, headers: Headers, body: Uint8Array, done = (): void => {}): BusDelivery {
    const { bodies, serverNowMs, store } = this.#options;
    const key = keyOf(message);
    const sentMs = message.info.timestampNanos / nanosPerMs;
    return {
      key,
      headers,
      body,
      ageMs: Math.max(0, serverNowMs() - sentMs) + (bodies?.ageIn(headers) ?? 0),
      deliveries: message.info.deliveryCount,
      isExpired: headers["nats-marker-reason"] !== undefined,
      working: () => message.working(),
      finish: async (result) => {
        try {
          const isFirst = await store(key, result);
          message.ack();
          return isFirst;
        } finally {
          done();
        }
      },
      drop: () => {
        done();
        message.ack();
      },
      giveBack: (afterMs) => {
        done();
        message.nak(afterMs);
      },
    };
  }
}

/** Of the front and the request, or of the job. */
function keyOf({ subject }: JsMsg): string {
  const [front = "", id = ""] = subject.split(".").slice(-2);
  return `${front}.${id}`;
}
