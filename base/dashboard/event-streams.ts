/**
 * Event streams of a dashboard: one message is made in a while and sent to all who look; while nobody looks none is made.
 * Whoever does not read is dropped, so that no stream holds more than a few messages.
 */
import { once } from "node:events";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";

/** Streams at once; each more is refused. */
const mostStreams = 100;
/** Whoever has not taken a message for so long is dropped. */
const stuckMs = 10_000;

/** What a page's events are made of. */
export interface EventSource {
  /** The first message of a stream: all that a page needs. */
  first(): string;
  /** What has changed since the last message; the same for all streams. */
  next(): string;
}

interface Stream {
  readonly write: (bytes: Uint8Array) => Promise<unknown>;
  /** Ends it for good, read or not. */
  readonly cut: () => void;
  readonly mayStay: () => boolean;
  /** Since when a message waits to be taken. */
  pendingSinceMs: number | undefined;
  /** Whether a message was left out meanwhile, so that it needs all anew. */
  hasMissed: boolean;
}

export interface EventStreamsOptions {
  readonly source: EventSource;
  readonly nowMs: () => number;
  /** Time between two messages, in milliseconds. */
  readonly everyMs: number;
}

export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #streams = new Set<Stream>();
  readonly #encoder = new TextEncoder();
  #timer: NodeJS.Timeout | undefined;
  #number = 0;
  #isClosed = false;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** How many look now. */
  get count(): number {
    return this.#streams.size;
  }

  /**
   * Answers a request with a stream that lasts until one side ends it.
   *
   * @param mayStay asked before each message: whether the caller may still look
   */
  answer(context: Context, mayStay: () => boolean): Response {
    if (this.#isClosed || this.#streams.size >= mostStreams) {
      const why = this.#isClosed
        ? "the program ends"
        : `${mostStreams} streams are open, the most that there may be`;
      return context.json({ error: why }, 503, { "retry-after": "5" });
    }
    const { outgoing } = (context.env as Partial<HttpBindings> | undefined) ?? {};
    const response = streamSSE(context, async (api) => {
      const end = new AbortController();
      const stream: Stream = {
        write: (bytes) => api.write(bytes),
        cut: () => {
          end.abort();
          api.abort();
          outgoing?.socket?.destroy();
        },
        mayStay,
        pendingSinceMs: undefined,
        hasMissed: false,
      };
      api.onAbort(() => {
        this.#streams.delete(stream);
        if (this.#streams.size === 0) this.#rest();
        end.abort();
      });
      this.#send(stream, this.#message("full", this.#options.source.first()));
      this.#streams.add(stream);
      this.#timer ??= setInterval(() => this.#tick(), this.#options.everyMs).unref();
      if (!end.signal.aborted) await once(end.signal, "abort");
    });
    // Not to be compressed, which would hold it back until its end, nor held back by nginx.
    response.headers.set("cache-control", "no-store, no-transform");
    response.headers.set("x-accel-buffering", "no");
    return response;
  }

  /** Ends every stream, and refuses new ones. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.cut();
    this.#streams.clear();
    this.#rest();
  }

  #tick(): void {
    const { source, nowMs } = this.#options;
    const next = this.#message("next", source.next());
    let full: Uint8Array | undefined;
    for (const stream of this.#streams) {
      const { pendingSinceMs, hasMissed } = stream;
      const isStuck = pendingSinceMs !== undefined && nowMs() - pendingSinceMs > stuckMs;
      if (isStuck || !stream.mayStay()) this.#drop(stream);
      else if (pendingSinceMs !== undefined) stream.hasMissed = true;
      else this.#send(stream, hasMissed ? (full ??= this.#message("full", source.first())) : next);
    }
  }

  #send(stream: Stream, message: Uint8Array): void {
    stream.hasMissed = false;
    stream.pendingSinceMs = this.#options.nowMs();
    void stream.write(message).finally(() => (stream.pendingSinceMs = undefined));
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream);
    stream.cut();
    if (this.#streams.size === 0) this.#rest();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** JSON has no line feeds, so that it is one line of data. */
  #message(event: string, json: string): Uint8Array {
    return this.#encoder.encode(`id: ${this.#number++}\nevent: ${event}\ndata: ${json}\n\n`);
  }
}
