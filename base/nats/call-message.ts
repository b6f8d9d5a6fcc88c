/**
 * Calls over NATS: a request with a path, header fields and a body, and its reply, each in as many messages as the server's
 * largest one makes necessary. The messages of one call go from one connection to one subscription, so they keep their order.
 */
import { headers, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";

/** What a call or a reply is, beside its body. */
export interface CallHead {
  /** "POST /v2/models/m/infer", or the status of a reply, such as "200". */
  readonly line: string;
  /** Header fields, with names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface CallMessage extends CallHead {
  readonly body: Uint8Array<ArrayBuffer>;
}

const lineName = "Spillway-Call";
const fieldsName = "Spillway-Fields";
const bytesName = "Spillway-Bytes";
const cancelName = "Spillway-Cancel";
/** Room for headers in each message, and most bytes of the header fields. */
const headerRoom = 16_384;
const mostFieldBytes = 8_192;
/** So many messages are sent before the server is waited for. */
const messagesAtOnce = 8;

/** @throws RangeError when the header fields are too long */
export async function publishCall(
  connection: NatsConnection,
  to: { readonly subject: string; readonly reply?: string; readonly mostMessageBytes: number },
  { line, fields, body }: CallMessage,
): Promise<void> {
  const { subject, reply, mostMessageBytes } = to;
  const told = JSON.stringify(fields);
  if (told.length + line.length > mostFieldBytes)
    throw new RangeError(`the header fields have ${told.length} bytes; allowed: ${mostFieldBytes}`);
  const partBytes = Math.max(1_024, mostMessageBytes - headerRoom);
  const inReply = reply === undefined ? {} : { reply };
  for (let at = 0, nth = 1; at === 0 || at < body.length; at += partBytes, nth++) {
    const head = headers();
    if (at === 0) {
      head.set(lineName, line);
      head.set(fieldsName, encodeURI(told));
      head.set(bytesName, String(body.length));
    }
    connection.publish(subject, body.subarray(at, at + partBytes), { headers: head, ...inReply });
    if (nth % messagesAtOnce === 0) await connection.flush();
  }
}

/** Tell whoever works on a call that nobody waits for it any more. */
export function publishCancel(connection: NatsConnection, subject: string, reply: string): void {
  const head = headers();
  head.set(cancelName, "1");
  connection.publish(subject, undefined, { headers: head, reply });
}

export function isCancel({ headers: head }: Msg): boolean {
  return head?.has(cancelName) === true;
}

/** The head of a first message; undefined: it is a later one, or was not made here. */
export function callHeadOf(message: Msg): (CallHead & { readonly bytes: number }) | undefined {
  const { headers: head } = message;
  if (head === undefined || !head.has(lineName)) return undefined;
  const bytes = Number(head.get(bytesName));
  if (!Number.isInteger(bytes) || bytes < 0) return undefined;
  return { line: head.get(lineName), fields: fieldsIn(head), bytes };
}

/** What has come of a call so far. */
export class GatheredCall {
  readonly head: CallHead & { readonly bytes: number };
  readonly #parts: Uint8Array[] = [];
  #got = 0;

  constructor(head: GatheredCall["head"], first: Uint8Array) {
    this.head = head;
    this.add(first);
  }

  add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#got += part.length;
  }

  get isWhole(): boolean {
    return this.#got >= this.head.bytes;
  }

  body(): Uint8Array<ArrayBuffer> {
    const body = new Uint8Array(this.head.bytes);
    let at = 0;
    for (const part of this.#parts) {
      body.set(part.subarray(0, body.length - at), at);
      at = Math.min(body.length, at + part.length);
    }
    return body;
  }
}

function fieldsIn(head: MsgHdrs): Record<string, string> {
  try {
    const fields: unknown = JSON.parse(decodeURI(head.get(fieldsName)));
    const pairs = Object.entries(fields as Record<string, string>).filter(
      ([, value]) => typeof value === "string",
    );
    return Object.fromEntries(pairs);
  } catch {
    return {};
  }
}
