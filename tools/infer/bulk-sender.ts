/**
 * Sends requests of several items until each item has its line. A server that is away, starts or is full is waited for; a
 * request that fails otherwise is sent again in halves until the item is found that it fails for.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Semaphore } from "../../base/semaphore.ts";
import { UsageError } from "../../base/usage-error.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { encodeInferRequest, encodeInferResponse, binaryWanted } from "../../protocol/encode.ts";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, InferResponse, WireBody } from "../../protocol/message.ts";
import { answerLine, faultLine, type RowsFault } from "../../protocol/result-line.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import type { HttpTransport } from "../../client/transports/http-transport.ts";
import { answerFault, replyFault } from "../../client/transports/reply-fault.ts";
import type { ItemBatch, SentItem } from "./batches.ts";

/** Tries of a request that fails with what may pass, before it is halved or given up. */
const mostTries = 3;
const usualWaitMs = 250;
const longestWaitMs = 5_000;
/** When so many items failed and none was answered, the fault is hardly theirs. */
const mostFirstFaults = 20;
/** Time that a request has beyond what its server may take for it, for the way there and back. */
const onTheWayMs = 60_000;

export interface BulkSenderOptions {
  readonly transport: Pick<HttpTransport, "call">;
  readonly model: string;
  /** Lane of the queue. Default: none is named. */
  readonly lane?: string | undefined;
  /** Longest time that the server may take for a request. */
  readonly timeoutMs: number;
  /** How long nothing may be answered before `send` gives up. */
  readonly patienceMs: number;
  /** How long is waited first, in milliseconds; it doubles from one time to the next. Default: 250. */
  readonly firstWaitMs?: number;
  /** Ends waiting; what is under way is still waited for. */
  readonly stop: AbortSignal;
  /** Told why is waited, and with undefined that something was answered. */
  readonly onWait: (why: string | undefined) => void;
}

/** What came of an item. */
export interface ItemEnd {
  readonly item: SentItem;
  readonly line: Uint8Array;
  /** Undefined: it has an error. */
  readonly answer: InferResponse | undefined;
}

/** Nothing was answered for long, or the run was stopped: the items may be sent again later. */
export class SendingEnded extends Error {}

export class BulkSender {
  readonly #options: BulkSenderOptions;
  #answeredAtMs = performance.now();
  #hasAnswered = false;
  #firstFaults = 0;
  readonly #suspects = new Semaphore(1);
  readonly #firstWaitMs: number;

  constructor(options: BulkSenderOptions) {
    this.#options = options;
    this.#firstWaitMs = options.firstWaitMs ?? usualWaitMs;
  }

  /** Hands each item of the batch over once. Rejects with SendingEnded when some of them remain. */
  async send(batch: ItemBatch, onEnd: (end: ItemEnd) => void): Promise<void> {
    const error = await this.#try(batch, onEnd, 1);
    if (error === undefined) return;
    if (!error.retryable) return this.#halve(batch, error, onEnd);
    // One suspect at a time: a server that joins requests itself may put it together with others, which it then fails.
    await this.#suspects.run(() => this.#isolate(batch, onEnd));
  }

  async #isolate(batch: ItemBatch, onEnd: (end: ItemEnd) => void): Promise<void> {
    await this.#wait(undefined, this.#firstWaitMs);
    const error = await this.#try(batch, onEnd, mostTries - 1);
    if (error !== undefined) await this.#halve(batch, error, onEnd);
  }

  async #halve(batch: ItemBatch, error: SpillwayError, onEnd: (end: ItemEnd) => void): Promise<void> {
    if (batch.length === 1) {
      const [item] = batch as [SentItem];
      this.#checkFirst(error);
      onEnd({ item, answer: undefined, line: faultLine(placeOf(item), faultOf(error)) });
      return;
    }
    const middle = Math.ceil(batch.length / 2);
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      const again = await this.#try(half, onEnd, error.retryable ? mostTries : 1);
      if (again !== undefined) await this.#halve(half, again, onEnd);
    }
  }

  /** Hands over what was answered; else the error of these items after so many tries. Rejects with SendingEnded. */
  async #try(
    batch: ItemBatch,
    onEnd: (end: ItemEnd) => void,
    tries: number,
  ): Promise<SpillwayError | undefined> {
    let answers: InferResponse[];
    try {
      answers = await this.#answers(batch, tries);
    } catch (error) {
      if (error instanceof SpillwayError) return error;
      throw error;
    }
    for (const [index, item] of batch.entries()) {
      const answer = answers[index] as InferResponse;
      onEnd({ item, answer, line: lineOf(item, answer) });
    }
    return undefined;
  }

  /** @throws SendingEnded when everything fails from the start */
  #checkFirst(error: SpillwayError): void {
    if (this.#hasAnswered || ++this.#firstFaults < mostFirstFaults) return;
    throw new SendingEnded(`the first ${mostFirstFaults} rows that were tried all failed (${error.message})`);
  }

  /** One for each item. Rejects with a SpillwayError of these items, or SendingEnded. */
  async #answers(batch: ItemBatch, mostOfThem: number): Promise<InferResponse[]> {
    const wire = encodeInferRequest(this.#requestOf(batch), { binary: true });
    let waitMs = this.#firstWaitMs;
    for (let tries = 1; ;) {
      const { fault, retryAfterMs } = await this.#call(batch, wire);
      if (Array.isArray(fault)) return fault;
      this.#checkLane(batch, fault);
      if (!away.has(fault.code) && (!fault.retryable || tries++ >= mostOfThem)) throw fault;
      await this.#wait(fault, Math.max(waitMs, retryAfterMs ?? 0));
      waitMs = Math.min(longestWaitMs, waitMs * 2);
    }
  }

  /** A lane that is not there is no item's fault, unless the item itself names one. Throws UsageError. */
  #checkLane(batch: ItemBatch, { message }: SpillwayError): void {
    const about = /spillway_lane( is .*)/.exec(message)?.[1];
    if (this.#options.lane === undefined || about === undefined) return;
    if (batch.some(({ request }) => "spillway_lane" in request.parameters)) return;
    throw new UsageError(`--lane${about}`);
  }

  /** The one place where a request is made as the server gets it. */
  #requestOf(batch: ItemBatch): InferRequest {
    const stacked = stackRequests(batch.map(({ request }) => request));
    const { timeoutMs, lane } = this.#options;
    const own = {
      timeout: Math.round(timeoutMs * 1_000),
      ...(lane !== undefined && { spillway_lane: lane }),
    };
    return { ...stacked, parameters: { ...own, ...stacked.parameters } };
  }

  async #call(
    batch: ItemBatch,
    wire: WireBody,
  ): Promise<{
    readonly fault: SpillwayError | InferResponse[];
    readonly retryAfterMs?: number | undefined;
  }> {
    const { transport, model, timeoutMs, onWait } = this.#options;
    try {
      const reply = await transport.call(model, wire, timeoutMs + onTheWayMs);
      // Of a server that answers at all, whatever it says.
      if (reply.status < 500) this.#answeredAtMs = performance.now();
      if (reply.status !== 200) return { fault: replyFault(reply), retryAfterMs: reply.retryAfterMs };
      onWait(undefined);
      this.#hasAnswered = true;
      return { fault: answersIn(reply.wire, batch, model) };
    } catch (error) {
      return { fault: answerFault(error) };
    }
  }

  async #wait(why: SpillwayError | undefined, ms: number): Promise<void> {
    const { stop, patienceMs, onWait } = this.#options;
    if (performance.now() - this.#answeredAtMs > patienceMs)
      throw new SendingEnded(
        `nothing was answered for ${patienceMs / 1_000} s (${why?.message ?? "no answers"})`,
      );
    if (stop.aborted) throw new SendingEnded("stopped");
    if (why !== undefined) onWait(why.message);
    await delay(ms, undefined, { signal: stop }).catch(() => {
      throw new SendingEnded("stopped");
    });
  }
}

/**
 * The server, or what is behind it, is away or has no room: that passes, and tells nothing of the items. So does a model that
 * is missing, because it was there when the run began.
 */
const away: ReadonlySet<ErrorCode> = new Set([
  "target_unreachable",
  "target_unavailable",
  "target_throttled",
  "target_denied",
  "overloaded",
  "model_not_found",
]);

function answersIn(wire: WireBody, batch: ItemBatch, model: string): InferResponse[] {
  const response = decodeInferResponse(wire.body, wire.headerBytes, model);
  const [only] = batch;
  // Where an answer stands for one request, its outputs need not have rows.
  if (batch.length === 1) return [{ ...response, id: only?.request.id }];
  return splitResponse(
    response,
    batch.map(({ rows }) => rows),
    batch.map(({ request }) => request.id),
  );
}

function lineOf(item: SentItem, answer: InferResponse): Uint8Array {
  try {
    return answerLine(placeOf(item), encodeInferResponse(answer, binaryWanted(item.request)));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    // What JSON cannot state is binary.
    return answerLine(
      placeOf(item),
      encodeInferResponse(answer, () => true),
    );
  }
}

/** The file of results puts in which row it is. */
export function placeOf({
  line,
  name,
  rows = 1,
}: Pick<SentItem, "line" | "name"> & { readonly rows?: number }) {
  return { row: 0, rows, line, name };
}

function faultOf({ message, code, status }: SpillwayError): RowsFault {
  return { error: message, code, status };
}
