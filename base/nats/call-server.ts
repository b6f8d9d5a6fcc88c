/** Answers calls over NATS. What comes in parts is bounded in bytes and time, and a call that is cancelled is told so. */
import { setTimeout as delay } from "node:timers/promises";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { OpenList } from "../memory/open-list.ts";
import { TurnoverMap } from "../memory/turnover-map.ts";
import { type CallMessage, GatheredCall, callHeadOf, isCancel, publishCall } from "./call-message.ts";

export interface CallServerOptions {
  readonly connection: NatsConnection;
  readonly subject: string;
  /** One of those who name the same group gets each call. Default: all who listen get it. */
  readonly group?: string;
  /** The server's largest message. */
  readonly mostMessageBytes: number;
  /** Largest body of a call. */
  readonly mostBodyBytes: number;
  /** Answers a call; what it throws is answered with 500. */
  readonly answer: (call: CallMessage, signal: AbortSignal) => Promise<CallMessage>;
}

/** Most calls at once, parts included, and how long the next part of a call may take. */
const mostCalls = 1_024;
const partMs = 30_000;
const drainMs = 1_000;

interface Held {
  readonly gathered: GatheredCall;
  touchedAtMs: number;
}

export class CallServer {
  readonly #options: CallServerOptions;
  readonly #subscription: Subscription;
  readonly #held = new TurnoverMap<string, Held>();
  readonly #running = new TurnoverMap<string, AbortController>();
  readonly #answers = new OpenList<Promise<void>>();
  #heldBytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: CallServerOptions) {
    this.#options = options;
    const { connection, subject, group } = options;
    this.#subscription = connection.subscribe(subject, {
      ...(group !== undefined && { queue: group }),
      callback: (error, message) => {
        if (error === null) this.#came(message);
      },
    });
    this.#timer = setInterval(() => this.#forgetOld(), partMs).unref();
  }

  /** Take no more calls; resolves when those that came are answered. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    // A server that does not answer does not hold us up.
    if (!this.#options.connection.isClosed())
      await Promise.race([
        this.#subscription.drain().catch(() => {}),
        delay(drainMs, undefined, { ref: false }),
      ]);
    await Promise.all(this.#answers);
  }

  #came(message: Msg): void {
    const { reply, data } = message;
    if (reply === undefined) return;
    if (isCancel(message)) {
      this.#running.get(reply)?.abort();
      this.#forget(reply);
      return;
    }
    const head = callHeadOf(message);
    let held = this.#held.get(reply);
    if (head !== undefined) {
      const refusal = this.#refusalOf(head.bytes);
      if (refusal !== undefined) return this.#send(reply, refusal);
      held = { gathered: new GatheredCall(head, data), touchedAtMs: performance.now() };
      this.#held.set(reply, held);
      this.#heldBytes += head.bytes;
    } else if (held === undefined) return;
    else {
      held.gathered.add(data);
      held.touchedAtMs = performance.now();
    }
    if (!held.gathered.isWhole) return;
    const { head: whole } = held.gathered;
    const body = held.gathered.body();
    this.#forget(reply);
    this.#run(reply, { line: whole.line, fields: whole.fields, body });
  }

  #refusalOf(bytes: number): CallMessage | undefined {
    const { mostBodyBytes } = this.#options;
    if (bytes > mostBodyBytes)
      return refusal(413, `the body has ${bytes} bytes; allowed: at most ${mostBodyBytes}`);
    if (this.#held.size + this.#running.size >= mostCalls)
      return refusal(503, `${mostCalls} calls are under way; allowed: no more`);
    if (this.#heldBytes + bytes > 2 * mostBodyBytes)
      return refusal(503, "too many bytes of calls are on their way; try again");
    return undefined;
  }

  #run(reply: string, call: CallMessage): void {
    const cancel = new AbortController();
    this.#running.set(reply, cancel);
    const answered = this.#options
      .answer(call, cancel.signal)
      .catch((error: Error) => refusal(500, error.message))
      .then((answer) => {
        this.#running.delete(reply);
        if (!cancel.signal.aborted) this.#send(reply, answer);
        this.#answers.remove(place);
      });
    const place = this.#answers.add(answered);
  }

  #send(reply: string, answer: CallMessage): void {
    const { connection, mostMessageBytes } = this.#options;
    // Without a connection nobody can be told; whoever asked gives up in time.
    if (connection.isClosed()) return;
    publishCall(connection, { subject: reply, mostMessageBytes }, answer).catch(() => {});
  }

  #forget(reply: string): void {
    this.#heldBytes -= this.#held.get(reply)?.gathered.head.bytes ?? 0;
    this.#held.delete(reply);
  }

  #forgetOld(): void {
    const nowMs = performance.now();
    for (const [reply, { touchedAtMs }] of this.#held) if (nowMs - touchedAtMs > partMs) this.#forget(reply);
  }
}

function refusal(status: number, error: string): CallMessage {
  const body = new TextEncoder().encode(JSON.stringify({ error }));
  return { line: String(status), fields: { "content-type": "application/json" }, body };
}
