/**
 * The front door of a daemon that joined: a request goes to the shared queue of its model, and its caller is answered when
 * the result is there, whoever made it. Each request ends exactly once, at the latest when nobody is to be waited for.
 */
import { randomUUID } from "node:crypto";
import { SpillwayError } from "../../../../base/errors.ts";
import type { Abortable } from "../../../../base/program/hang-up.ts";
import type { InferResponse } from "../../../../protocol/message.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import type { Served } from "../../../queue/request.ts";
import type { DaemonRequest } from "../../daemon-request.ts";
import { answerIn, idIn, sentError, sentRequest } from "./bus-message.ts";
import type { BusResult, RequestBus } from "./request-bus.ts";

export interface FrontOptions {
  readonly bus: RequestBus;
  readonly codec: MessageCodec;
  /** Most requests that wait for a result, and most bytes of them. */
  readonly mostRequests: number;
  readonly mostBytes: number;
  /** How long after its deadline a request that somebody has in work is waited for, in milliseconds. */
  readonly graceMs: number;
}

interface Waiting {
  readonly model: string;
  readonly bytes: number;
  readonly end: (result: BusResult | SpillwayError) => void;
}

/** The queue tells of whole seconds, and a moment later. */
const overdueMs = 1_500;
const lookEveryMs = 1_000;
/** Questions for results at once, after the connection was gone. */
const mostLooks = 16;

export class Front {
  readonly #options: FrontOptions;
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;
  #isClosed = false;
  #emptied: (() => void) | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    options.bus.onResult((id, result) => this.#waiting.get(id)?.end(result));
  }

  /** Requests that wait for a result. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves with the answer; rejects with the error that the owner's queue ended it with, or with why nobody did.
   *
   * @param withinMs time to its deadline
   */
  async submit(call: DaemonRequest, withinMs: number, callerLeft: Abortable): Promise<Served<InferResponse>> {
    const { bus, codec } = this.#options;
    const sent = sentRequest(call, withinMs);
    const bytes = sent.body.byteLength;
    this.#check(bytes);
    const id = randomUUID();
    const model = call.model;
    const result = this.#result(id, model, bytes, withinMs, callerLeft);
    bus.submit({ id, model, withinMs, ...sent }).catch((error: unknown) => {
      this.#waiting.get(id)?.end(error instanceof SpillwayError ? error : unknown(error));
    });
    const ended = await result;
    if (ended instanceof SpillwayError) throw ended;
    const storyId = idIn(ended);
    if (storyId !== undefined) call.onId?.(storyId);
    return answerIn(ended, model, codec);
  }

  /** After the connection was gone, results may be there that nobody told of. */
  async lookForAll(): Promise<void> {
    const ids = [...this.#waiting.keys()];
    const next = async (): Promise<void> => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await this.#look(id);
    };
    await Promise.all(Array.from({ length: mostLooks }, next));
  }

  /** Takes nothing new, and resolves when nobody waits any more. */
  drain(): Promise<void> {
    this.#isClosed = true;
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#emptied = resolve));
  }

  /** Ends all that wait. */
  close(): void {
    this.#isClosed = true;
    for (const { end } of this.#waiting.values()) end(new SpillwayError("queue_closed"));
  }

  #check(bytes: number): void {
    const { bus, mostRequests, mostBytes } = this.#options;
    if (this.#isClosed) throw new SpillwayError("queue_closed");
    if (bytes > bus.mostBytes)
      throw new SpillwayError(
        "request_too_large",
        `the request has ${bytes} bytes; allowed: ${bus.mostBytes}, from --max-body-mib and max_payload of the NATS server`,
      );
    if (this.#waiting.size >= mostRequests || this.#bytes + bytes > mostBytes)
      throw new SpillwayError("queue_full", undefined, { retryAfterMs: 1_000 });
  }

  #result(
    id: string,
    model: string,
    bytes: number,
    withinMs: number,
    callerLeft: Abortable,
  ): Promise<BusResult | SpillwayError> {
    const { bus, graceMs } = this.#options;
    return new Promise((resolve) => {
      const leave = (): void => {
        bus.withdraw({ id, model });
        end(new SpillwayError("cancelled"));
      };
      const end = (result: BusResult | SpillwayError): void => {
        if (!this.#waiting.delete(id)) return;
        this.#bytes -= bytes;
        clearTimeout(timer);
        callerLeft.removeEventListener("abort", leave);
        resolve(result);
        if (this.#waiting.size === 0) this.#emptied?.();
      };
      const untilMs = performance.now() + withinMs + Math.max(graceMs, overdueMs);
      const look = (): void => void this.#overdue(id, untilMs, again);
      const again = (): void => {
        if (this.#waiting.has(id)) timer = setTimeout(look, lookEveryMs);
      };
      let timer = setTimeout(look, Math.min(withinMs + overdueMs, 2 ** 31 - 1));
      this.#waiting.set(id, { model, bytes, end });
      this.#bytes += bytes;
      callerLeft.addEventListener("abort", leave);
      if (callerLeft.aborted) leave();
    });
  }

  /** Its deadline is over: the result may have been missed, an owner may have it in work, or nobody has. */
  async #overdue(id: string, untilMs: number, again: () => void): Promise<void> {
    const { bus } = this.#options;
    await this.#look(id);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const isPast = performance.now() >= untilMs;
    const isOwned = await bus.hasOwner(waiting.model).catch(() => true);
    if (!isPast && isOwned) return again();
    const error = isOwned
      ? new SpillwayError("target_timeout", "nobody answered in the time of the request", {
          isOfTarget: false,
        })
      : new SpillwayError("deadline_passed", "no daemon that serves the model took the request in time");
    bus.withdraw({ id, model: waiting.model });
    // A result that comes later must not count beside what the caller is told now.
    const isFirst = await Promise.race([
      bus.settle(id, sentError(error)).catch(() => true),
      pause(lookEveryMs),
    ]);
    if (isFirst === false) await this.#look(id);
    this.#waiting.get(id)?.end(error);
  }

  async #look(id: string): Promise<void> {
    const result = await Promise.race([this.#options.bus.resultOf(id), pause(lookEveryMs)]).catch(
      () => undefined,
    );
    if (result !== undefined) this.#waiting.get(id)?.end(result);
  }
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}

function unknown(error: unknown): SpillwayError {
  return new SpillwayError("target_unavailable", (error as Error).message, {
    cause: error,
    isOfTarget: false,
  });
}
