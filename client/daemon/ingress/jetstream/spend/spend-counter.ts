/**
 * What all daemons that joined have spent or hold, as counters on the NATS server: one for each minute, in billionths of the
 * currency. Whoever adds to one has then seen all that was counted before. Servers from 2.12 add by themselves; on older ones
 * the new sum is written where the last one is still there.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { Logger } from "pino";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { spendNames, token } from "../../../../../base/nats/engine-names.ts";
import { apiCodes, codeOf, makeStream, nanosPerMs } from "../bus-streams.ts";
import { asHeaders } from "../plain-headers.ts";

/** Billionths of the currency by the number of their minute. */
export type SpendByMinute = ReadonlyMap<number, number>;

/** What is needed of `SpendCounter`. */
export interface CountedSpend {
  readonly isConnected: boolean;
  /** What is counted as of now, as far as it is known here. */
  readonly counted: SpendByMinute;
  /**
   * Adds to a minute, which may be less than 0. When it resolves, `counted` has it and all that was counted before it.
   *
   * @param amount an integer, in billionths of the currency
   * @throws Error when nobody knows whether it is counted
   */
  add(minute: number, amount: number): Promise<void>;
}

const publishMs = 2_000;
const pauseMs = 100;
/** After so long it is left open whether an amount was counted. */
const giveUpMs = 30_000;
const keptMs = 26 * 3_600_000;
const askEveryMs = 5_000;
const openAgainMs = 500;
const mostBytes = 16 * 2 ** 20;

interface Waiting {
  readonly sequence: number;
  readonly resolve: () => void;
}

export interface SpendCounterOptions {
  /** JetStream domain that keeps the count; undefined: that of the engine. */
  readonly domain: string | undefined;
  readonly currency: string;
  readonly log: Pick<Logger, "info" | "warn">;
}

export class SpendCounter implements CountedSpend {
  readonly counted = new Map<number, number>();
  readonly #engine: Engine;
  readonly #js: JetStreamClient;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #stop = new AbortController();
  readonly #log: SpendCounterOptions["log"];
  readonly #followed: Promise<void>;
  /** Whether the server adds by itself. */
  readonly adds: boolean;
  #seenSequence = 0;
  #waiting: Waiting[] = [];
  #messages: ConsumerMessages | undefined;

  private constructor(
    engine: Engine,
    js: JetStreamClient,
    manager: JetStreamManager,
    adds: boolean,
    names: ReturnType<typeof spendNames>,
    { currency, log }: SpendCounterOptions,
  ) {
    this.#engine = engine;
    this.#js = js;
    this.#manager = manager;
    this.#stream = names.stream;
    this.#prefix = names.subject(token(currency), "");
    this.#log = log;
    this.adds = adds;
    engine.onReconnect(() => void this.#messages?.close());
    this.#followed = this.#follow();
  }

  /** Rejects when the server gives no stream for it. */
  static async open(engine: Engine, options: SpendCounterOptions): Promise<SpendCounter> {
    const { domain } = options;
    const timeout = 5_000;
    const [js, manager] =
      domain === undefined
        ? [engine.js, engine.manager]
        : [
            jetstream(engine.connection, { domain, timeout }),
            await jetstreamManager(engine.connection, { domain, timeout, checkAPI: false }),
          ];
    const names = spendNames((await manager.getAccountInfo()).domain);
    const config = {
      name: names.stream,
      subjects: [names.subjects],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      max_age: keptMs * nanosPerMs,
      max_msgs_per_subject: 1,
      max_bytes: mostBytes,
      allow_direct: true,
      duplicate_window: 120_000 * nanosPerMs,
    };
    // A server that keeps the count elsewhere may be older or newer than the one that we are connected to.
    await makeStream(manager, { ...config, allow_msg_counter: true }, false).catch(async (error: unknown) => {
      if (engine.can.counters) throw error;
      await makeStream(manager, config, false);
    });
    const { config: made } = await manager.streams.info(names.stream);
    return new SpendCounter(
      engine,
      js,
      manager,
      "allow_msg_counter" in made && made.allow_msg_counter,
      names,
      options,
    );
  }

  get isConnected(): boolean {
    return this.#engine.isConnected;
  }

  async add(minute: number, amount: number): Promise<void> {
    const subject = this.#prefix + minute;
    const msgID = randomUUID();
    const untilMs = performance.now() + giveUpMs;
    for (;;) {
      try {
        const sequence = await (this.adds
          ? this.#increment(subject, amount, msgID)
          : this.#swap(subject, amount, msgID));
        await this.#seen(sequence, untilMs);
        return;
      } catch (error) {
        const code = codeOf(error);
        const isBehind = code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown;
        if ((code !== undefined && !isBehind) || this.#stop.signal.aborted || performance.now() > untilMs)
          throw error;
        // The same id again: what was counted already is not counted twice.
        if (!isBehind) await delay(pauseMs, undefined, { ref: false });
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#messages?.close();
    await this.#followed;
  }

  async #increment(subject: string, amount: number, msgID: string): Promise<number> {
    const headers = asHeaders({ "Nats-Incr": `${amount < 0 ? "" : "+"}${amount}` });
    return (await this.#js.publish(subject, "", { headers, msgID, timeout: publishMs })).seq;
  }

  async #swap(subject: string, amount: number, msgID: string): Promise<number> {
    const last = await this.#manager.streams
      .getMessage(this.#stream, { last_by_subj: subject })
      .catch((error: unknown) => {
        if (codeOf(error) === apiCodes.noMessage) return null;
        throw error;
      });
    const sum = (last === null ? 0 : sumIn(last.data)) + amount;
    const expect = { lastSubjectSequence: last?.seq ?? 0 };
    const body = JSON.stringify({ val: String(sum) });
    return (await this.#js.publish(subject, body, { expect, msgID, timeout: publishMs })).seq;
  }

  #seen(sequence: number, untilMs: number): Promise<void> {
    if (this.#seenSequence >= sequence) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting = {
        sequence,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each !== waiting);
        reject(new Error("the server does not tell what is counted"));
      }, untilMs - performance.now());
      this.#waiting.push(waiting);
    });
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    let told = "";
    while (!signal.aborted) {
      try {
        const consumer = await this.#js.consumers.get(this.#stream, {
          filter_subjects: `${this.#prefix}*`,
          deliver_policy: DeliverPolicy.LastPerSubject,
        });
        this.#messages = await consumer.consume({
          expires: askEveryMs,
          abort_on_missing_resource: true,
          callback: (message) => this.#came(message),
        });
        told = "";
        if (signal.aborted) await this.#messages.close();
        await this.#messages.closed();
      } catch (error) {
        const why = (error as Error).message;
        if (told !== why && !signal.aborted)
          this.#log.warn({ why }, "what all that joined have spent cannot be read; trying again");
        told = why;
      }
      await delay(openAgainMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  #came({ subject, data, seq }: JsMsg): void {
    const minute = Number(subject.slice(this.#prefix.length));
    const sum = sumIn(data);
    if (!Number.isInteger(minute) || !Number.isFinite(sum)) return;
    this.counted.set(minute, sum);
    const oldest = minute - keptMs / 60_000;
    for (const each of this.counted.keys()) if (each < oldest) this.counted.delete(each);
    // They come in order, and begin anew where the stream was made anew.
    this.#seenSequence = seq;
    const [done, rest] = [this.#waiting.filter((each) => each.sequence <= seq), this.#waiting];
    this.#waiting = rest.filter((each) => each.sequence > seq);
    for (const { resolve } of done) resolve();
  }
}

function sumIn(data: Uint8Array): number {
  try {
    const { val } = JSON.parse(new TextDecoder().decode(data)) as { val?: unknown };
    return Number(val ?? NaN);
  } catch {
    return NaN;
  }
}
