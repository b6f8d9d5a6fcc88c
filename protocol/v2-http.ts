/** HTTP as all our V2 servers speak it: bounded bodies, headers that describe them, errors as `{"error": …}`. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { shortened } from "../base/error-text.ts";
import { errorBody, ProtocolError } from "./errors.ts";
import type { WireBody } from "./message.ts";
import { ReadRoom, bodyTooLarge, mostReadBytes, readWithin } from "./server/read-body.ts";

/** The header that says where a body's JSON ends and its binary data begins, in lower case as Node gives it. */
export const headerLength = "inference-header-content-length";

/** Most characters of a path: names of models and versions become parts of keys, which are kept. */
const longestPath = 1_024;
/** Most characters of an error. Those that quote a caller cut what they quote; this is for all others. */
const longestMessage = 4_096;

/** An error with the HTTP status to answer it with; any other error is a 500. */
interface StatusError extends Error {
  readonly status: number;
  /** When the caller should try again, in seconds; sent as Retry-After. */
  readonly retryAfterS?: number;
  /** A word for programs that goes with the message. */
  readonly reason?: string;
}

/**
 * An empty app that answers errors the V2 way.
 *
 * @param onFault gets every error that is our own fault (status 500), and the request that it ended
 * @param gate decides on a request before its body is looked at
 * @param room for the bodies that are being read, where others share it
 */
export function createV2App(
  maxBodyBytes: number,
  onFault: (error: Error, context: Context) => void,
  gate?: MiddlewareHandler,
  room = readRoomFor(maxBodyBytes),
): Hono {
  const app = new Hono({ strict: false });
  app.use((context, next) => {
    const { length } = context.req.path;
    if (length <= longestPath) return next();
    throw new ProtocolError(`the path has ${length} characters; allowed: at most ${longestPath}`, 414);
  });
  if (gate !== undefined) app.use(gate);
  app.use(boundedBody(maxBodyBytes, room));
  app.notFound((context) =>
    context.json(errorBody(`no ${context.req.method} ${shortened(context.req.path)} here`), 404),
  );
  app.onError((error, context) => {
    const { status, headers, body } = errorAnswer(error);
    if (status === 500) onFault(error, context);
    for (const [name, value] of headers) context.header(name, value);
    return context.json(body, status as ContentfulStatusCode);
  });
  return app;
}

/** How an error is answered. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As JSON. */
  readonly body: object;
}

export function errorAnswer(error: Error): ErrorAnswer {
  const { status = 500, retryAfterS, reason } = error as Partial<StatusError>;
  const headers: [string, string][] = [];
  if (status === 413) headers.push(["Connection", "close"]);
  if (retryAfterS !== undefined) headers.push(["Retry-After", String(Math.ceil(retryAfterS))]);
  return { status, headers, body: errorBody(error.message.slice(0, longestMessage), reason) };
}

/** Room for the bodies that a server reads at a time. */
export function readRoomFor(maxBodyBytes: number): ReadRoom {
  return new ReadRoom(Math.max(mostReadBytes, 2 * maxBodyBytes));
}

/** What says that it is too large is refused at once; everything else is counted as it is read. */
function boundedBody(maxBytes: number, room: ReadRoom): MiddlewareHandler {
  return async (context, next) => {
    if (Number(context.req.header("content-length")) > maxBytes) throw bodyTooLarge(maxBytes);
    context.set("readBody", () => readWithin(context, maxBytes, room));
    return next();
  };
}

/** An inference body with its `inference-header-content-length`. Throws a ProtocolError unless that is a number. */
export function toWireBody(
  header: string | string[] | null | undefined,
  body: ArrayBuffer | Uint8Array,
): WireBody {
  const bytes = body instanceof ArrayBuffer ? new Uint8Array(body) : body;
  const headerBytes = headerBytesIn(header);
  return headerBytes === undefined ? { body: bytes } : { body: bytes, headerBytes };
}

/** The value of `inference-header-content-length`; undefined when there is none. Throws a ProtocolError unless it is a number. */
export function headerBytesIn(header: string | string[] | null | undefined): number | undefined {
  if (header === undefined || header === null) return undefined;
  if (typeof header === "string" && /^[0-9]{1,15}$/.test(header)) return Number(header);
  throw new ProtocolError(`${headerLength} is "${shortened(String(header))}"; allowed: a number of bytes`);
}

/** The headers that go with a body. */
export function wireHeaders({ headerBytes }: Pick<WireBody, "headerBytes">): Record<string, string> {
  return headerBytes === undefined
    ? { "content-type": "application/json" }
    : { "content-type": "application/octet-stream", [headerLength]: String(headerBytes) };
}

/** Answer with an inference body. */
export function answerWire(context: Context, wire: WireBody): Response {
  return context.body(wire.body as Uint8Array<ArrayBuffer>, 200, wireHeaders(wire));
}
