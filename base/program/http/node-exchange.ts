/** A request and its answer on what Node's HTTP server gives. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { headOfMessage, type RequestHead } from "../../access/request-head.ts";
import { whenClosed } from "../hang-up.ts";
import type { WatchAnswer } from "../unsent-answers.ts";
import {
  type HotExchange,
  isOfMuchMore,
  latin1Of,
  longestRestMs,
  mostInOne,
  mostRestBytes,
} from "./exchange.ts";

export class NodeExchange implements HotExchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #watch: WatchAnswer;
  #head: RequestHead | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, watch: WatchAnswer) {
    this.#request = request;
    this.#response = response;
    this.#watch = watch;
  }

  get method(): string {
    return this.#request.method ?? "";
  }

  get url(): string {
    return this.#request.url ?? "";
  }

  get head(): RequestHead {
    return (this.#head ??= headOfMessage(this.#request));
  }

  get isComplete(): boolean {
    return this.#request.complete;
  }

  whenGone(listener: () => void): () => void {
    return whenClosed(this.#request.socket, listener);
  }

  readBody(onPiece: (piece: Uint8Array) => void, onEnd: () => void): () => void {
    const request = this.#request.on("data", onPiece).on("end", onEnd);
    return () => void request.off("data", onPiece).off("end", onEnd);
  }

  dropBody(): Promise<void> {
    const request = this.#request;
    return new Promise((resolve) => {
      if (request.readableEnded || request.destroyed) return resolve();
      request.once("end", resolve).once("close", resolve).resume();
    });
  }

  dropRest(): void {
    const request = this.#request;
    if (request.complete || request.destroyed) return;
    let bytes = 0;
    const ended = new AbortController();
    const stop = (): void => {
      ended.abort();
      request.off("data", onData).off("end", stop).off("close", stop);
    };
    const cutOff = (): void => {
      stop();
      request.socket.destroySoon();
    };
    const onData = (piece: Uint8Array): void => {
      bytes += piece.length;
      if (bytes > mostRestBytes) cutOff();
    };
    delay(longestRestMs, undefined, { ref: false, signal: ended.signal }).then(cutOff, () => {});
    request.on("data", onData).once("end", stop).once("close", stop).resume();
  }

  answer(status: number, headers: string[], parts: readonly Uint8Array[]): void {
    const response = this.#response;
    // Of one that waits behind another on its connection, the connection alone tells that it is gone.
    if (response.destroyed || response.writableEnded || response.req.socket.destroyed) return;
    let bytes = 0;
    for (const { length } of parts) bytes += length;
    headers.push("content-length", String(bytes));
    response.writeHead(status, headers);
    if (bytes <= mostInOne) {
      let text = "";
      // A string of Latin-1 is written together with the head, bytes are not.
      for (const part of parts) text += latin1Of(part);
      response.end(text, "latin1");
    } else {
      response.cork();
      for (const part of parts) if (part.length > 0) response.write(isOfMuchMore(part) ? part.slice() : part);
      response.end();
      response.uncork();
    }
    if (response.writableLength > 0 || (response.socket?.writableLength ?? 0) > 0) this.#watch(response);
  }
}
