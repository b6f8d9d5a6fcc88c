/** A request and its answer right on a socket, for `PlainConnection`. */
import { STATUS_CODES, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import type { RequestHead } from "../../access/request-head.ts";
import { type HotExchange, isOfMuchMore, latin1Of, mostInOne } from "./exchange.ts";
import type { PlainHead } from "./plain-head.ts";

/** What an exchange needs of its connection. */
export interface ExchangeOwner {
  readonly socket: Socket;
  /** The head as the gate sees it. */
  readonly requestHead: RequestHead;
  /** Of `Keep-Alive`, with its line's end; empty for none. */
  readonly keepAliveLine: string;
  /** The exchange takes body again, or no longer. */
  flow(isWanted: boolean): void;
  /** Its answer is written; `isLast`: the connection ends with it. */
  answered(isLast: boolean): void;
  /** The rest of the body is not worth much time. */
  hurry(): void;
}

export class PlainExchange implements HotExchange {
  readonly method = "POST";
  readonly url: string;
  readonly #owner: ExchangeOwner;
  /** Bytes of the body that have not come. */
  #left: number;
  /** Pieces that nobody has asked for yet. */
  #held: Uint8Array[] | undefined;
  #isDropped = false;
  #isAnswered = false;
  #onPiece: ((piece: Uint8Array) => void) | undefined;
  #onDropped: (() => void) | undefined;
  #onGone: (() => void) | undefined;

  /** @param first what has come of the body */
  constructor(owner: ExchangeOwner, { url, bodyBytes }: PlainHead, first: Uint8Array) {
    this.#owner = owner;
    this.url = url;
    this.#left = bodyBytes - first.length;
    if (first.length > 0) this.#held = [first];
  }

  get head(): RequestHead {
    return this.#owner.requestHead;
  }

  get isComplete(): boolean {
    return this.#left === 0;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Bytes of the body that have not come. */
  get left(): number {
    return this.#left;
  }

  /** The next bytes of the body, at most `left`. */
  push(piece: Uint8Array): void {
    this.#left -= piece.length;
    if (this.#onPiece !== undefined) this.#onPiece(piece);
    else if (!this.#isDropped) {
      (this.#held ??= []).push(piece);
      this.#owner.flow(false);
    }
    if (this.#left === 0) this.#onDropped?.();
  }

  /** The connection has ended. */
  gone(): void {
    this.#onDropped?.();
    this.#onGone?.();
  }

  whenGone(listener: () => void): () => void {
    this.#onGone = listener;
    return () => (this.#onGone = undefined);
  }

  readBody(onPiece: (piece: Uint8Array) => void): () => void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#onPiece = onPiece;
    if (this.#left > 0) this.#owner.flow(true);
    for (const piece of held) this.#onPiece?.(piece);
    return () => this.#drop();
  }

  dropBody(): Promise<void> {
    this.#drop();
    if (this.#left === 0 || this.#owner.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => (this.#onDropped = resolve));
  }

  dropRest(): void {
    if (this.#left > 0) this.#owner.hurry();
  }

  answer(status: number, headers: string[], parts: readonly Uint8Array[]): void {
    const { socket, keepAliveLine } = this.#owner;
    this.#onGone = undefined;
    if (this.#isAnswered || socket.destroyed || socket.writableEnded) return;
    this.#isAnswered = true;
    let bytes = 0;
    for (const { length } of parts) bytes += length;
    let text =
      status === 200 ? "HTTP/1.1 200 OK\r\n" : `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "unknown"}\r\n`;
    let isLast = false;
    for (let at = 0; at < headers.length; at += 2) {
      const [name = "", value = ""] = [headers[at], headers[at + 1]];
      validateHeaderValue(name, value);
      if (value === "close" && name.toLowerCase() === "connection") isLast = true;
      text += `${name}: ${value}\r\n`;
    }
    text += `content-length: ${bytes}\r\nDate: ${dateNow()}\r\n`;
    text += isLast ? "\r\n" : `Connection: keep-alive\r\n${keepAliveLine}\r\n`;
    if (bytes <= mostInOne) {
      for (const part of parts) text += latin1Of(part);
      socket.write(text, "latin1");
    } else {
      socket.cork();
      socket.write(text, "latin1");
      for (const part of parts) if (part.length > 0) socket.write(isOfMuchMore(part) ? part.slice() : part);
      socket.uncork();
    }
    // What still comes of the body is for nobody.
    this.#drop();
    this.#owner.answered(isLast);
  }

  #drop(): void {
    this.#onPiece = undefined;
    this.#held = undefined;
    this.#isDropped = true;
    if (this.#left > 0) this.#owner.flow(true);
  }
}

let [dateText, dateOfS] = ["", -1];

/** As HTTP writes it; it is the same for a second. */
function dateNow(): string {
  const nowMs = Date.now();
  const nowS = Math.floor(nowMs / 1_000);
  if (nowS !== dateOfS) [dateText, dateOfS] = [new Date(nowMs).toUTCString(), nowS];
  return dateText;
}
