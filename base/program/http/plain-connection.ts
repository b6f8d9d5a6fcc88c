/**
 * A connection whose requests are read here while they are plain, one at a time; with the first that is not, the whole
 * connection goes to Node's HTTP server for good. Requests that are sent before those before them are answered are such.
 */
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { RequestHead } from "../../access/request-head.ts";
import type { WatchAnswer } from "../unsent-answers.ts";
import { type HotRoute, longestRestMs, mostRestBytes } from "./exchange.ts";
import { type ExchangeOwner, PlainExchange } from "./plain-exchange.ts";
import type { PlainHead } from "./plain-head.ts";

/** What all connections of a server share. */
export interface PlainServer {
  readonly route: HotRoute;
  readonly watch: WatchAnswer;
  readonly keepAliveLine: string;
  /** The head at the start of a chunk; undefined when it is not plain, or not all there. */
  headIn(chunk: Buffer): PlainHead | undefined;
  /** Gives a socket to Node's HTTP server. */
  handOver(socket: Socket): void;
  /** How often connections were looked at so far. */
  readonly ticks: number;
  ended(connection: PlainConnection): void;
}

/** Why a connection has waited: for a first request, for the rest of one, for another one, or for us. */
export type PlainWait = "new" | "reading" | "idle" | "answering";

/** Most bytes of further requests that are kept while one is answered, about; the rest waits in the socket. */
const mostAheadBytes = 2 ** 16;
const nothing = Buffer.alloc(0);

export class PlainConnection implements ExchangeOwner {
  readonly socket: Socket;
  readonly #server: PlainServer;
  #exchange: PlainExchange | undefined;
  /** What came behind the request that is answered now. */
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  #isUnsent = false;
  #isNew = true;
  /** The head of the last request: most clients send the same again and again. */
  #plainHead: PlainHead | undefined;
  #requestHead: RequestHead | undefined;
  #restBytes = 0;
  #restTimer: NodeJS.Timeout | undefined;
  /** When it began to wait, in `ticks`. */
  #sinceTick: number;

  constructor(socket: Socket, server: PlainServer) {
    this.socket = socket;
    this.#server = server;
    this.#sinceTick = server.ticks;
    socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
  }

  get keepAliveLine(): string {
    return this.#server.keepAliveLine;
  }

  get requestHead(): RequestHead {
    const { headers, count, url } = this.#plainHead as PlainHead;
    const remoteAddress = this.socket.remoteAddress ?? "";
    return (this.#requestHead ??= { headers, count, target: url, remoteAddress });
  }

  get wait(): PlainWait {
    if (this.#exchange === undefined) return this.#isNew ? "new" : "idle";
    return this.#exchange.isComplete ? "answering" : "reading";
  }

  /** For how many whole ticks it has waited. */
  get waitedTicks(): number {
    return this.#server.ticks - this.#sinceTick - 1;
  }

  /** Ends it because a request, or its rest, has not come in time. */
  timedOut(): void {
    const { socket } = this;
    if (this.#exchange?.isAnswered !== true && socket.writable)
      socket.write("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    socket.destroy();
  }

  flow(isWanted: boolean): void {
    if (isWanted) {
      if (this.socket.isPaused()) this.socket.resume();
    } else this.socket.pause();
  }

  hurry(): void {
    this.#restBytes = 0;
    this.#restTimer ??= setTimeout(() => this.socket.destroySoon(), longestRestMs).unref();
  }

  answered(isLast: boolean): void {
    const { socket } = this;
    if (isLast) return socket.destroySoon();
    if (socket.writableLength > 0) this.#awaitSent();
    this.#goOn();
  }

  /** Somebody looks after an answer that its caller does not take, until it is sent. */
  #awaitSent(): void {
    const { socket } = this;
    this.#isUnsent = true;
    let onSent: (() => void) | undefined;
    let onStall: (() => void) | undefined;
    this.#server.watch({
      req: { socket },
      writableEnded: true,
      get writableLength() {
        return socket.writableLength;
      },
      setTimeout: (ms, onTimeout) => socket.setTimeout(ms, (onStall = onTimeout)),
      destroy: () => socket.destroy(),
      once: (_, listener) => (onSent = listener),
    });
    socket.write(nothing, () => {
      this.#isUnsent = false;
      onSent?.();
      socket.setTimeout(0, onStall);
      this.#goOn();
    });
  }

  /** The next request, once this one has been read and answered. */
  #goOn(): void {
    const exchange = this.#exchange;
    if (exchange?.isAnswered !== true || !exchange.isComplete || this.#isUnsent || this.socket.destroyed)
      return;
    this.#exchange = undefined;
    this.#sinceTick = this.#server.ticks;
    if (this.#restTimer !== undefined) clearTimeout(this.#restTimer);
    this.#restTimer = undefined;
    this.flow(true);
    if (this.#aheadBytes === 0) return;
    const ahead = Buffer.concat(this.#ahead);
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.#begin(ahead);
  }

  #begin(chunk: Buffer): void {
    const known = this.#plainHead;
    const head =
      known !== undefined && chunk.toString("latin1", 0, known.text.length) === known.text
        ? known
        : this.#server.headIn(chunk);
    if (head === undefined || chunk.length - head.text.length > head.bodyBytes) return this.#handOver(chunk);
    if (head !== known) {
      this.#plainHead = head;
      this.#requestHead = undefined;
    }
    const exchange = new PlainExchange(this, head, chunk.subarray(head.text.length));
    this.#exchange = exchange;
    this.#isNew = false;
    this.#sinceTick = this.#server.ticks;
    if (this.#server.route(exchange)) return;
    this.#exchange = undefined;
    this.#handOver(chunk);
  }

  readonly #onData = (chunk: Buffer): void => {
    const exchange = this.#exchange;
    if (exchange === undefined) return this.#begin(chunk);
    const { left } = exchange;
    if (chunk.length > left) this.#keep(chunk.subarray(left));
    if (left === 0) return;
    if (this.#restTimer !== undefined && (this.#restBytes += chunk.length) > mostRestBytes)
      this.socket.destroySoon();
    exchange.push(chunk.length > left ? chunk.subarray(0, left) : chunk);
    if (exchange.isComplete) this.#goOn();
  };

  #keep(bytes: Buffer): void {
    this.#ahead.push(bytes);
    this.#aheadBytes += bytes.length;
    if (this.#aheadBytes > mostAheadBytes) this.flow(false);
  }

  /** As Node's server does it: who closes one half has gone, and a body without its end is refused. */
  readonly #onEnd = (): void => {
    const { socket } = this;
    if (this.wait === "reading" && this.#exchange?.isAnswered === false && socket.writable)
      socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    socket.end();
  };

  /** `close` follows. */
  readonly #onError = (): void => {};

  readonly #onClose = (): void => {
    if (this.#restTimer !== undefined) clearTimeout(this.#restTimer);
    this.#server.ended(this);
    this.#exchange?.gone();
  };

  #handOver(bytes: Buffer): void {
    const { socket } = this;
    this.#server.ended(this);
    socket.pause();
    socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose);
    socket.unshift(bytes);
    this.#server.handOver(socket);
    socket.resume();
  }
}
