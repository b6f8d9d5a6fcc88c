/**
 * A pool of connections whose calls end at their timeout also while they wait for a connection, and that tells whether one
 * was sent: what was never sent says nothing of its server and costs nothing. It takes what undici reads as it comes,
 * without a stream and a signal for each call, which take longer than everything else about a small one.
 */
import type { Readable } from "node:stream";
import type { Dispatcher, Pool } from "undici";
import { type ReplyBounds, ReplyBytes, unpacked } from "./reply-body.ts";
import type { ReplyHeaders } from "./reply-facts.ts";
import type { SpillwayError } from "../../base/errors.ts";

/** Bodies up to this are copied into one, which costs less than to write their pieces one after another. */
const mostInOne = 2 ** 16;
/** The longest delay of a timer, in milliseconds. */
const longestDelayMs = 2 ** 31 - 1;

export interface PoolCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  /** In pieces, whose memory must stay as it is until the call ends. */
  readonly body?: readonly Uint8Array[] | undefined;
  /** Until the whole answer is there, in milliseconds above 0. */
  readonly timeoutMs: number;
  /** What it fails with then. */
  readonly late: (isSent: boolean) => SpillwayError;
  /** How much of an answer with that status is read; a text: that, and nothing of the answer. */
  readonly boundsOf: (status: number, headers: ReplyHeaders) => ReplyBounds | Uint8Array;
}

/** An answer, whose body may be a view on memory that has its head as well. */
export interface PoolReply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly body: Uint8Array;
}

/** Rejects with the error of `late`, with what reading the answer throws, and with the errors of undici. */
export async function callPool(pool: Pick<Pool, "dispatch">, call: PoolCall): Promise<PoolReply> {
  const { status, headers, bytes, bounds } = await new Promise<RawReply>((resolve, reject) => {
    const { method, path, headers: fields, body } = call;
    const handler = new CallHandler(call, resolve, reject);
    pool.dispatch({ method, path, headers: fields, body: sentBody(body, fields) }, handler);
  });
  if (bounds === undefined) return { status, headers, body: bytes };
  return { status, headers, body: await unpacked(bytes, headers, bounds) };
}

/** A body as undici takes it: the pieces of a large one are written as they are, those of a small one together. */
function sentBody(
  pieces: readonly Uint8Array[] | undefined,
  headers: string[],
): Buffer | Uint8Array | Readable | null {
  if (pieces === undefined) return null;
  let bytes = 0;
  for (const { length } of pieces) bytes += length;
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return only;
  if (bytes <= mostInOne) return Buffer.concat(pieces, bytes);
  headers.push("content-length", String(bytes));
  // It takes anything that can be iterated, which its type does not say.
  return pieces as unknown as Readable;
}

interface RawReply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly bytes: Uint8Array;
  /** Undefined: the bytes need not be decompressed. */
  readonly bounds: (ReplyBounds & { readonly isWhole: boolean }) | undefined;
}

class CallHandler implements Dispatcher.DispatchHandler {
  readonly #call: PoolCall;
  readonly #resolve: (reply: RawReply) => void;
  readonly #reject: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  /** Once it has ended, what a connection that takes it now is told. */
  #over: Error | undefined;
  #status = 0;
  #headers: ReplyHeaders = {};
  #bounds: ReplyBounds | undefined;
  #bytes: ReplyBytes | undefined;

  constructor(call: PoolCall, resolve: (reply: RawReply) => void, reject: (error: Error) => void) {
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
    // Only a whole number is kept.
    const delayMs = Math.min(longestDelayMs, Math.ceil(call.timeoutMs));
    this.#timer = setTimeout(() => this.#giveUp(this.#call.late(this.#controller !== undefined)), delayMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over !== undefined) controller.abort(this.#over);
    else this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ReplyHeaders): void {
    // Such as 103, which comes before the answer.
    if (status < 200 || this.#over !== undefined) return;
    this.#status = status;
    this.#headers = headers;
    const bounds = this.#call.boundsOf(status, headers);
    if (bounds instanceof Uint8Array) {
      this.#end({ status, headers, bytes: bounds, bounds: undefined });
      controller.abort(unread);
      return;
    }
    this.#bounds = bounds;
    try {
      this.#bytes = new ReplyBytes(headers, bounds, (error) => this.#giveUp(error));
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over !== undefined || this.#bytes === undefined) return;
    try {
      if (this.#bytes.add(chunk)) return;
    } catch (error) {
      this.#giveUp(error as Error);
      return;
    }
    this.#answered(false);
    controller.abort(unread);
  }

  onResponseEnd(): void {
    if (this.#over === undefined) this.#answered(true);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#release();
    this.#reject(error);
  }

  #answered(isWhole: boolean): void {
    const [status, headers] = [this.#status, this.#headers];
    const bytes = this.#bytes?.whole() ?? new Uint8Array();
    const bounds = headers["content-encoding"] === undefined ? undefined : this.#bounds;
    this.#end({ status, headers, bytes, bounds: bounds && { isWhole, ...bounds } });
  }

  #end(reply: RawReply): void {
    this.#over = unread;
    this.#release();
    this.#resolve(reply);
  }

  #giveUp(error: Error): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#release();
    this.#reject(error);
    this.#controller?.abort(error);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#bytes?.close();
  }
}

const unread = new Error("the rest of the answer is not read");
