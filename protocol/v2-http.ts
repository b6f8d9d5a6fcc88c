/**
 * What every V2 server of ours does alike with HTTP: read an inference body within its bound, name its parts
 * in headers, answer errors as `{"error": …}`. A hono app is a function of requests, so this stays without I/O.
 */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { errorBody, ProtocolError } from "./errors.ts";
import type { WireBody } from "./message.ts";

/** The header that says where a body's JSON ends and its binary data begins; in lower case, as Node has headers. */
export const headerLength = "inference-header-content-length";

/** An error that says which HTTP status it is answered with; any other error is a 500. */
interface StatusError extends Error {
  readonly status: number;
  /** When the caller may try again, in seconds; sent as Retry-After. */
  readonly retryAfterS?: number;
}

/**
 * An empty app that answers its errors the V2 way.
 *
 * @param onFault told of every error that is our own fault (status 500)
 */
export function createV2App(maxBodyBytes: number, onFault: (error: Error) => void): Hono {
  const app = new Hono({ strict: false });
  app.use(boundedBody(maxBodyBytes));
  app.notFound((context) =>
    context.json(errorBody(`no ${context.req.method} ${context.req.path} here`), 404),
  );
  app.onError((error, context) => {
    const { status = 500, retryAfterS } = error as Partial<StatusError>;
    if (status === 500) onFault(error);
    if (retryAfterS !== undefined) context.header("Retry-After", String(Math.ceil(retryAfterS)));
    return context.json(errorBody(error.message), status as ContentfulStatusCode);
  });
  return app;
}

function boundedBody(maxBytes: number): MiddlewareHandler {
  const onError = (context: Context): Response =>
    // The rest of the body is not read, so the connection cannot be used again.
    context.json(errorBody(`the body is larger than ${maxBytes} bytes, the most taken`), 413, {
      connection: "close",
    });
  const counted = bodyLimit({ maxSize: maxBytes, onError });
  return async (context, next) => {
    const length = context.req.header("content-length");
    // To count what has no length takes a stream of the web, which costs more than all else that a request does.
    if (length === undefined || context.req.header("transfer-encoding") !== undefined) {
      return counted(context, next);
    }
    return Number(length) > maxBytes ? onError(context) : next();
  };
}

/**
 * The body of an inference request or answer as it came.
 *
 * @param header value of `inference-header-content-length`; undefined or null when there is none
 * @throws ProtocolError when the header makes no sense
 */
export function toWireBody(header: string | string[] | null | undefined, body: ArrayBuffer): WireBody {
  const bytes = new Uint8Array(body);
  if (header === undefined || header === null) return { body: bytes };
  if (typeof header !== "string" || !/^[0-9]{1,15}$/.test(header)) {
    throw new ProtocolError(`${headerLength} is "${String(header)}"; allowed: a number of bytes`);
  }
  return { body: bytes, headerBytes: Number(header) };
}

/** The headers that go with a body. */
export function wireHeaders({ headerBytes }: WireBody): Record<string, string> {
  return headerBytes === undefined
    ? { "content-type": "application/json" }
    : { "content-type": "application/octet-stream", [headerLength]: String(headerBytes) };
}

/** Answer with an inference body. */
export function answerWire(context: Context, wire: WireBody): Response {
  return context.body(wire.body as Uint8Array<ArrayBuffer>, 200, wireHeaders(wire));
}
