/**
 * The short way in for inference: `POST /v2/models/NAME[/versions/VERSION]/infer` on what Node's HTTP server gives, with
 * the rights, bounds, headers and errors of the app behind it. What is unusual is left to the app: other paths, names with
 * escapes, pages of browsers, compressed bodies, callers without the right.
 *
 *     const door = new InferDoor({ maxBytes, room, gate, nowMs, find, infer, onFault });
 *     await serve({ app, hot: door.route, … }, host, port, log);
 */
import { Buffer } from "node:buffer";
import type { AccessGate, Caller } from "../../base/access/access-gate.ts";
import type { RequestHead } from "../../base/access/request-head.ts";
import { HangUp } from "../../base/program/hang-up.ts";
import type { HotExchange, HotRoute } from "../../base/program/http/exchange.ts";
import type { WireParts } from "../message.ts";
import { errorAnswer, headerBytesIn, headerLength } from "../v2-http.ts";
import { packedAs, shortestBytes, wantedCoding } from "./content-coding.ts";
import { type BodyBounds, readParts } from "./body-parts.ts";
import { discardBody, smallBodyBytes } from "./discard-body.ts";
import { bodyTooLarge } from "./read-body.ts";

/** One request, from its head to its answer. */
export interface InferCall {
  readonly model: string;
  /** Undefined where the path names the model alone. */
  readonly version: string | undefined;
  readonly head: RequestHead;
  /** Undefined where there is no gate. */
  readonly caller: Caller | undefined;
  /** When the head was there, as the door's clock counts. */
  readonly arrivedAtMs: number;
  /** Bytes of the body; undefined when the caller does not say. */
  readonly bodyBytes: number | undefined;
  /** Happens when the caller goes away before its answer. */
  readonly hungUp: HangUp;
  /** Names and values, in turn, of headers for the answer, be it an error or not. */
  readonly answerHeaders: string[];
  /** The caller's id for it, which `infer` sets for whoever is told of a fault. */
  id: string | undefined;
}

export interface InferDoorOptions<Found> extends BodyBounds {
  /** Undefined: everybody may do everything. */
  readonly gate?: AccessGate | undefined;
  /** A clock, in milliseconds. */
  nowMs(): number;
  /**
   * The model that is asked, for `refuse` and `infer`. Undefined: the app is to answer, be it that the model is not there or
   * that it must be waited for. Called before anything is counted.
   */
  find(model: string, version: string | undefined): Found | undefined;
  /** Called when the head is there and the body is not: throws when the request has no chance. */
  refuse?(call: InferCall, found: Found): void;
  /** The answer. Rejects with an error that may have a `status` and a `retryAfterS`, as the app's routes do. */
  infer(call: InferCall, body: WireParts, found: Found): Promise<WireParts>;
  /** Told of errors that are our own fault (status 500). */
  onFault(error: Error, call: InferCall): void;
  /** Told of the status of every answer. */
  onAnswer?(status: number): void;
}

/** Names without escapes. */
const inferPath = /^\/v2\/models\/([A-Za-z0-9_][\w.-]*)(?:\/versions\/([A-Za-z0-9_][\w.-]*))?\/infer$/;
/** Most characters of a path that is taken, and most paths that are remembered. */
const [longestPath, mostPaths] = [512, 256];
/** Headers of requests that the app is to answer. */
const unusual = ["content-encoding", "origin", "sec-fetch-site", "upgrade"] as const;

interface Named {
  readonly model: string;
  readonly version: string | undefined;
}

export class InferDoor<Found> {
  readonly #options: InferDoorOptions<Found>;
  readonly #paths = new Map<string, Named>();

  constructor(options: InferDoorOptions<Found>) {
    this.#options = options;
  }

  /** For `createHttpServer` and `serve`. */
  readonly route: HotRoute = (exchange) => {
    const named = exchange.method === "POST" ? this.#named(exchange.url) : undefined;
    if (named === undefined) return false;
    const { gate } = this.#options;
    const { head } = exchange;
    for (const name of unusual) if (head.headers.has(name)) return false;
    const found = this.#options.find(named.model, named.version);
    if (found === undefined) return false;
    const caller = gate?.admitPlain(head, "infer");
    if (gate !== undefined && caller === undefined) return false;
    new Exchange(exchange, { named, head, caller }, this.#options).begin(found);
    return true;
  };

  #named(url: string): Named | undefined {
    const known = this.#paths.get(url);
    if (known !== undefined || url.length > longestPath) return known;
    const [, model, version] = inferPath.exec(url) ?? [];
    if (model === undefined) return undefined;
    if (this.#paths.size >= mostPaths) this.#paths.clear();
    const named = { model, version };
    this.#paths.set(url, named);
    return named;
  }
}

interface Known {
  readonly named: Named;
  readonly head: RequestHead;
  readonly caller: Caller | undefined;
}

/** One request and its answer. */
class Exchange<Found> implements InferCall {
  readonly model: string;
  readonly version: string | undefined;
  readonly head: RequestHead;
  readonly caller: Caller | undefined;
  readonly arrivedAtMs: number;
  readonly bodyBytes: number | undefined;
  readonly hungUp = new HangUp();
  readonly answerHeaders: string[] = [];
  id: string | undefined;
  readonly #exchange: HotExchange;
  readonly #options: InferDoorOptions<Found>;
  #stopReading: () => void = () => {};
  readonly #forget: () => void;

  constructor(exchange: HotExchange, { named, head, caller }: Known, options: InferDoorOptions<Found>) {
    this.model = named.model;
    this.version = named.version;
    this.head = head;
    this.caller = caller;
    this.arrivedAtMs = options.nowMs();
    this.bodyBytes = bodyBytesIn(head);
    this.#exchange = exchange;
    this.#options = options;
    this.#forget = exchange.whenGone(() => this.#closed());
  }

  begin(found: Found): void {
    const { maxBytes } = this.#options;
    try {
      if (this.bodyBytes !== undefined && this.bodyBytes > maxBytes) throw bodyTooLarge(maxBytes);
      this.#options.refuse?.(this, found);
    } catch (error) {
      const { bodyBytes } = this;
      const isDropped = bodyBytes !== undefined && (bodyBytes <= smallBodyBytes || bodyBytes > maxBytes);
      if (isDropped) return this.#fail(error as Error);
      void discardBody(() => this.#exchange.dropBody()).then(() => this.#fail(error as Error));
      return;
    }
    this.#stopReading = readParts(this.#exchange, this.bodyBytes, this.#options, (parts, error) => {
      if (parts === undefined) this.#fail(error as Error);
      else void this.#infer(parts, found);
    });
  }

  async #infer(parts: readonly Uint8Array[], found: Found): Promise<void> {
    let answer: WireParts;
    try {
      const headerBytes = headerBytesIn(headerOf(this.head, headerLength));
      const body = headerBytes === undefined ? { parts } : { parts, headerBytes };
      answer = await this.#options.infer(this, body, found);
    } catch (error) {
      return this.#fail(error as Error);
    }
    const { headerBytes } = answer;
    if (headerBytes === undefined) this.answerHeaders.push("content-type", "application/json");
    else
      this.answerHeaders.push("content-type", "application/octet-stream", headerLength, String(headerBytes));
    this.#send(200, answer.parts);
  }

  #fail(error: Error): void {
    const { status, headers, body } = errorAnswer(error);
    if (status === 500) this.#options.onFault(error, this);
    for (const [name, value] of headers) this.answerHeaders.push(name, value);
    this.answerHeaders.push("content-type", "application/json");
    this.#send(status, [Buffer.from(JSON.stringify(body))]);
  }

  #send(status: number, parts: readonly Uint8Array[]): void {
    this.#forget();
    this.#options.onAnswer?.(status);
    if (this.#options.gate?.variesByOrigin === true) this.answerHeaders.push("vary", "origin");
    const coding = wantedCoding(headerOf(this.head, "accept-encoding"));
    if (coding === undefined) return this.#end(status, parts);
    this.answerHeaders.push("vary", "accept-encoding");
    let bytes = 0;
    for (const { length } of parts) bytes += length;
    if (bytes < shortestBytes) return this.#end(status, parts);
    const packing = async (): Promise<Buffer> => packedAs(Buffer.concat(parts), coding);
    packing().then(
      (packed) => {
        this.answerHeaders.push("content-encoding", coding);
        this.#end(status, [packed]);
      },
      // It cannot be compressed for want of memory.
      () => this.#end(status, parts),
    );
  }

  #end(status: number, parts: readonly Uint8Array[]): void {
    const exchange = this.#exchange;
    exchange.answer(status, this.answerHeaders, parts);
    // Of a small one the server gets rid itself.
    const { bodyBytes = Infinity } = this;
    if (bodyBytes > smallBodyBytes && !exchange.isComplete) exchange.dropRest();
  }

  /** Its connection has ended before it was answered. */
  #closed(): void {
    this.#stopReading();
    this.hungUp.happen();
  }
}

/** A header as the app would see it: several of a name are joined. */
export function headerOf({ headers }: RequestHead, name: string): string | undefined {
  const values = headers.get(name);
  return values === undefined || values.length === 1 ? values?.[0] : values.join(", ");
}

/** What the caller says of the length of its body, where that holds. */
function bodyBytesIn(head: RequestHead): number | undefined {
  if (head.headers.has("transfer-encoding")) return undefined;
  const said = headerOf(head, "content-length");
  // A request without a word on it has no body.
  return said === undefined ? 0 : Number(said);
}
