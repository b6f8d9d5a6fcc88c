/**
 * Results on their way to a broker: as many at once as the broker takes, the others wait in order. While the connection
 * is away all wait. A result at QoS 1 or 2 that was sent is resent by the client on the next connection.
 */
import { OpenList, type OpenPlace } from "../../../../../base/memory/open-list.ts";
import type { Publication } from "../rules/message.ts";
import { PublishRefused } from "./broker-link.ts";

interface Outgoing {
  readonly publication: Publication;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  sentAtMs: number;
  isSlow: boolean;
}

/** Called without an error when the broker has the result. */
export type SendDone = (error?: (Error & { readonly code?: number | string }) | null) => void;

export interface OutboxOptions {
  readonly send: (publication: Publication, done: SendDone) => void;
  readonly nowMs: () => number;
  /** The time of its rule has passed, and the broker has not acknowledged it. Told once for each. */
  readonly onSlow: (publication: Publication) => void;
  /** The broker says nothing although it is connected. */
  readonly onSilent: () => void;
}

/** So long a connected broker may leave a result unacknowledged, at least, in milliseconds. */
const longestSilenceMs = 30_000;
/** Pause before a result is tried again that the broker could not take, in milliseconds. */
const againMs = 500;
/** From this code on MQTT 5 means a refusal. */
const firstRefusal = 128;
/** Refusals of MQTT 5 that a later attempt may find gone: unspecified, implementation, quota, rate. */
const passing = new Set([128, 131, 150, 151]);

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: Outgoing[] = [];
  readonly #sent = new OpenList<Outgoing>();
  #window = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Results that the broker does not have yet. */
  get size(): number {
    return this.#waiting.length + this.#sent.size;
  }

  push(publication: Publication): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ publication, resolve, reject, sentAtMs: 0, isSlow: false });
      this.#pump();
    });
  }

  /** @param window results that the broker takes before it acknowledges one; 0 while it is away */
  open(window: number): void {
    this.#window = window;
    // Those that were sent before are sent again now.
    const nowMs = this.#options.nowMs();
    for (const each of this.#sent) each.sentAtMs = nowMs;
    this.#pump();
  }

  /** Looks whether the broker is silent. Call it about every second while the broker is connected. */
  look(): void {
    if (this.#window === 0) return;
    const nowMs = this.#options.nowMs();
    let isSilent = false;
    for (const each of this.#sent) {
      const waitedMs = nowMs - each.sentAtMs;
      const { timeoutMs } = each.publication;
      if (!each.isSlow && waitedMs > timeoutMs) {
        each.isSlow = true;
        this.#options.onSlow(each.publication);
      }
      isSilent ||= waitedMs > Math.max(timeoutMs, longestSilenceMs);
    }
    if (isSilent) this.#options.onSilent();
  }

  /** Ends everything that waits. */
  close(): void {
    this.#window = 0;
    const error = new Error("the connection to the broker is closed");
    for (const each of [...this.#waiting.splice(0), ...this.#sent]) each.reject(error);
    this.#sent.clear();
  }

  #pump(): void {
    while (this.#sent.size < this.#window) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.sentAtMs = this.#options.nowMs();
      const place = this.#sent.add(next);
      this.#options.send(next.publication, (error) => this.#ended(place, error));
    }
  }

  #ended(place: OpenPlace<Outgoing>, error: Parameters<SendDone>[0]): void {
    const outgoing = place.item;
    if (outgoing === undefined || !this.#sent.remove(place)) return;
    if (error === undefined || error === null) outgoing.resolve();
    else if (typeof error.code === "number" && error.code >= firstRefusal && !passing.has(error.code))
      outgoing.reject(new PublishRefused(error.message));
    else {
      // The connection broke before it was sent, or the broker cannot take it now.
      this.#waiting.push(outgoing);
      setTimeout(() => this.#pump(), againMs).unref();
      return;
    }
    queueMicrotask(() => this.#pump());
  }
}
