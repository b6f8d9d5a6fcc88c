/** Calls programs over NATS, many at once over one subscription. */
import { createInbox, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import { TurnoverMap } from "../memory/turnover-map.ts";
import { type CallMessage, GatheredCall, callHeadOf, publishCall, publishCancel } from "./call-message.ts";

/** Why a call has no answer. */
export type NatsFaultKind =
  /** Nobody listens to the subject. */
  | "nobody"
  /** There is no connection, or it was lost while the call was under way. */
  | "connection"
  | "timeout"
  /** The answer has more bytes than are allowed. */
  | "too-long";

export class NatsCallFault extends Error {
  override readonly name = "NatsCallFault";
  readonly kind: NatsFaultKind;
  /** False: nobody has got the call. */
  readonly mayHaveCome: boolean;

  constructor(kind: NatsFaultKind, message: string, mayHaveCome: boolean) {
    super(message);
    this.kind = kind;
    this.mayHaveCome = mayHaveCome;
  }
}

/** What is used of an `Engine`. */
export interface CallEngine {
  readonly connection: NatsConnection;
  readonly mostBytes: number;
  readonly isConnected: boolean;
  onReconnect(listener: () => void): () => void;
}

interface OpenCall {
  readonly mostBytes: number;
  readonly end: (result: CallMessage | NatsCallFault) => void;
  gathered: GatheredCall | undefined;
}

export class CallClient {
  readonly #engine: CallEngine;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #open = new TurnoverMap<string, OpenCall>();
  readonly #forgetReconnects: () => void;
  #calls = 0;

  constructor(engine: CallEngine) {
    this.#engine = engine;
    this.#inbox = createInbox();
    this.#subscription = engine.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#came(message);
      },
    });
    // Answers that came meanwhile are lost.
    this.#forgetReconnects = engine.onReconnect(() => this.#endAll("the connection to NATS was lost"));
  }

  /**
   * @param mostBytes of the answer
   * @throws NatsCallFault when no answer came
   */
  async call(
    subject: string,
    message: CallMessage,
    timeoutMs: number,
    mostBytes: number,
  ): Promise<CallMessage> {
    const { connection, mostBytes: mostMessageBytes, isConnected } = this.#engine;
    if (!isConnected) throw new NatsCallFault("connection", "there is no connection to NATS", false);
    const id = String(this.#calls++);
    const reply = `${this.#inbox}.${id}`;
    return new Promise((resolve, reject) => {
      const end = (result: CallMessage | NatsCallFault): void => {
        if (!this.#open.delete(id)) return;
        clearTimeout(timer);
        if (result instanceof NatsCallFault) reject(result);
        else resolve(result);
      };
      const timer = setTimeout(() => {
        if (!connection.isClosed()) publishCancel(connection, subject, reply);
        end(new NatsCallFault("timeout", `no answer came within ${Math.ceil(timeoutMs)} ms`, true));
      }, timeoutMs);
      this.#open.set(id, { mostBytes, end, gathered: undefined });
      publishCall(connection, { subject, reply, mostMessageBytes }, message).catch((error: Error) =>
        end(new NatsCallFault("connection", error.message, true)),
      );
    });
  }

  close(): void {
    this.#forgetReconnects();
    this.#subscription.unsubscribe();
    this.#endAll("the connection is closed");
  }

  #endAll(why: string): void {
    for (const { end } of this.#open.values()) end(new NatsCallFault("connection", why, true));
  }

  #came(message: Msg): void {
    const open = this.#open.get(message.subject.slice(this.#inbox.length + 1));
    if (open === undefined) return;
    if (message.headers?.code === 503)
      return open.end(new NatsCallFault("nobody", "nobody takes calls there", false));
    if (open.gathered === undefined) {
      const head = callHeadOf(message);
      if (head === undefined) return;
      if (head.bytes > open.mostBytes)
        return open.end(
          new NatsCallFault(
            "too-long",
            `the answer has ${head.bytes} bytes; allowed: ${open.mostBytes}`,
            true,
          ),
        );
      open.gathered = new GatheredCall(head, message.data);
    } else open.gathered.add(message.data);
    if (!open.gathered.isWhole) return;
    const { head } = open.gathered;
    open.end({ line: head.line, fields: head.fields, body: open.gathered.body() });
  }
}
