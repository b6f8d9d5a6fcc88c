/**
 * Sends requests of several items until each item has its line. A server that is away, starts or is full is waited for; a
 * request that fails otherwise is sent again in halves until the item is found that it fails for.
 */
import { setTimeout as delay } from "node:timers/promises";
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
/** Time that a request has beyond what its server may take for it, for the way there and back. */
const onTheWayMs = 60_000;

export interface BulkSenderOptions {
  readonly transport: Pick<HttpTransport, "call">;
  readonly model: string;
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
export class GivenUp extends Error {}

export class BulkSender {
  readonly #options: BulkSenderOptions;
  #answeredAtMs = performance.now();

  constructor(options: BulkSenderOptions) {
    this.#options = options;
  }

  /** Hands each item of the batch over once. Rejects with GivenUp when some of them remain. */
  async send(batch: ItemBatch, onEnd: (end: ItemEnd) => void): Promise<void> {
    let error: SpillwayError | undefined;
    try {
      const answers = await this.#answers(batch);
      for (const [index, item] of batch.entries()) {
        const answer = answers[index] as InferResponse;
        onEnd({ item, answer, line: lineOf(item, answer) });
      }
      return;
    } catch (thrown) {
      if (!(thrown instanceof SpillwayError)) throw thrown;
      error = thrown;
    }
    if (batch.length === 1) {
      const [item] = batch as [SentItem];
      onEnd({ item, answer: undefined, line: faultLine(placeOf(item), faultOf(error)) });
      return;
    }
    const middle = Math.ceil(batch.length / 2);
    await this.send(batch.slice(0, middle), onEnd);
    await this.send(batch.slice(middle), onEnd);
  }

  /** One for each item. Rejects with a SpillwayError of these items, or GivenUp. */
  async #answers(batch: ItemBatch): Promise<InferResponse[]> {
    const wire = encodeInferRequest(this.#requestOf(batch), { binary: true });
    let waitMs = this.#options.firstWaitMs ?? usualWaitMs;
    for (let tries = 1; ;) {
      const { fault, retryAfterMs } = await this.#call(batch, wire);
      if (Array.isArray(fault)) return fault;
      const isAway = away.has(fault.code);
      if (!isAway && (!fault.retryable || tries++ >= mostTries)) throw fault;
      await this.#wait(fault, Math.max(waitMs, retryAfterMs ?? 0));
      waitMs = Math.min(longestWaitMs, waitMs * 2);
    }
  }

  /** The one place where a request is made as the server gets it. */
  #requestOf(batch: ItemBatch): InferRequest {
    const stacked = stackRequests(batch.map(({ request }) => request));
    const timeout = Math.round(this.#options.timeoutMs * 1_000);
    return { ...stacked, parameters: { timeout, ...stacked.parameters } };
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
      return { fault: answersIn(reply.wire, batch, model) };
    } catch (error) {
      return { fault: answerFault(error) };
    }
  }

  async #wait(why: SpillwayError, ms: number): Promise<void> {
    const { stop, patienceMs, onWait } = this.#options;
    if (performance.now() - this.#answeredAtMs > patienceMs)
      throw new GivenUp(`nothing was answered for ${patienceMs / 1_000} s (${why.message})`);
    if (stop.aborted) throw new GivenUp("stopped");
    onWait(why.message);
    await delay(ms, undefined, { signal: stop }).catch(() => {
      throw new GivenUp("stopped");
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
