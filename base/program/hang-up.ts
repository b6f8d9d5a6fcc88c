/**
 * Whether the caller of one request has gone. It does what an AbortSignal does for that and costs a tenth, because a server
 * needs one for every request.
 *
 *     const hungUp = new HangUp();
 *     whenClosed(request.socket, () => hungUp.happen());
 *     hungUp.addEventListener("abort", () => stopWork());
 */
import type { Socket } from "node:net";
import { OpenList } from "../memory/open-list.ts";
import { SideField } from "../memory/side-field.ts";

/** What is needed of an AbortSignal to hear that a caller has gone; an AbortSignal is one, too. */
export interface Abortable {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: AbortListener): void;
  removeEventListener(type: "abort", listener: AbortListener): void;
}

/** An object costs less than a function that is made for each request. */
export type AbortListener = (() => void) | { handleEvent(): void };

/** By connection: what is to be told of its end. */
const waiting = new SideField<Socket, OpenList<() => void>>();

/**
 * Calls a listener when a connection ends. `close` of an answer does not tell that of one that waits behind another on its
 * connection, and a listener of its own for each request would be too many. Returns what takes the listener off.
 */
export function whenClosed(socket: Socket, listener: () => void): () => void {
  let listeners = waiting.get(socket);
  if (listeners === undefined) {
    const all = (listeners = new OpenList<() => void>());
    waiting.set(socket, all);
    socket.once("close", () => {
      // They may take themselves and others off.
      for (const each of Array.from(all)) each();
    });
  }
  const place = listeners.add(listener);
  return () => void listeners.remove(place);
}

export class HangUp implements Abortable {
  aborted = false;
  #first: AbortListener | undefined;
  #others: AbortListener[] | undefined;
  #controller: AbortController | undefined;

  /** The caller has gone: every listener is called once, in order. */
  happen(): void {
    if (this.aborted) return;
    this.aborted = true;
    const [first, others = []] = [this.#first, this.#others];
    this.#first = undefined;
    this.#others = undefined;
    if (first !== undefined) tell(first);
    for (const listener of others) tell(listener);
    this.#controller?.abort();
  }

  addEventListener(_: "abort", listener: AbortListener): void {
    if (this.#first === undefined && this.#others === undefined) this.#first = listener;
    else (this.#others ??= []).push(listener);
  }

  removeEventListener(_: "abort", listener: AbortListener): void {
    if (this.#first === listener) this.#first = undefined;
    else if (this.#others !== undefined) this.#others = this.#others.filter((each) => each !== listener);
  }

  /** The same as a real signal, for those who need one. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.aborted) this.#controller.abort();
    return this.#controller.signal;
  }
}

function tell(listener: AbortListener): void {
  if (typeof listener === "function") listener();
  else listener.handleEvent();
}
