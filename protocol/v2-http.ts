/** HTTP as all our V2 servers speak it: bounded bodies, headers that describe them, errors as `{"error": …}`. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { errorBody, ProtocolError } from "./errors.ts";
import type { WireBody } from "./message.ts";

/** The header that says where a body's JSON ends and its binary data begins, in lower case as Node gives it. */
export const headerLength = "inference-header-content-length";

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
 * @param onFault gets every error that is our own fault (status 500)
 * @param gate decides on a request before its body is looked at
 */
export function createV2App(
  maxBodyBytes: number,
  onFault: (error: Error) => void,
  gate?: MiddlewareHandler,
): Hono {
  const app = new Hono({ strict: false });
  if (gate !== undefined) app.use(gate);
  app.use(boundedBody(maxBodyBytes));
  app.notFound((context) =>
    context.json(errorBody(`no ${context.req.method} ${context.req.path} here`), 404),
  );
  app.onError((error, context) => {
    const { status = 500, retryAfterS, reason } = error as Partial<StatusError>;
    if (status === 500) onFault(error);
    if (retryAfterS !== undefined) context.header("Retry-After", String(Math.ceil(retryAfterS)));
    return context.json(errorBody(error.message, reason), status as ContentfulStatusCode);
  });
  return app;
}

function boundedBody(maxBytes: number): MiddlewareHandler {
  const onError = (context: Context): Response =>
    // The rest of the body is not read, so the connection cannot be used again.
    context.json(errorBody(`the body is too large; allowed: at most ${maxBytes} bytes`), 413, {
      connection: "close",
    });
  const counted = bodyLimit({ maxSize: maxBytes, onError });
  return async (context, next) => {
    const length = context.req.header("content-length");
    // Counting a body without a length takes a web stream, which costs more than everything else about a request.
    if (length === undefined || context.req.header("transfer-encoding") !== undefined)
      return counted(context, next);
    return Number(length) > maxBytes ? onError(context) : next();
  };
}

/** An inference body with its `inference-header-content-length`. Throws a ProtocolError unless that is a number. */
export function toWireBody(header: string | string[] | null | undefined, body: ArrayBuffer): WireBody {
  const bytes = new Uint8Array(body);
  if (header === undefined || header === null) return { body: bytes };
  if (typeof header !== "string" || !/^[0-9]{1,15}$/.test(header))
    throw new ProtocolError(`${headerLength} is "${String(header)}"; allowed: a number of bytes`);
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
