/**
 * What Function Compute wants of every answer, around an app that knows nothing of it: lines in the log at which it
 * cuts, and a header that says whether the call failed. Requests without its id are let through as they are.
 */
import type { MiddlewareHandler } from "hono";

export function platformCalls(): MiddlewareHandler {
  return async (context, next) => {
    const requestId = context.req.header("x-fc-request-id");
    if (requestId === undefined) return next();
    const controlPath = context.req.header("x-fc-control-path");
    const what = marks[controlPath ?? ""] ?? "Invoke";
    mark(`${what} Start`, requestId);
    await next();
    mark(`${what} End`, requestId);
    // What came through an HTTP trigger is a V2 call: only what is our fault is a failure. Events and hooks have no 4xx.
    // ASSUMED: the header counts for the platform's statistics alone, and a trigger passes status and body on.
    const failsFrom = controlPath === "/http-invoke" ? 500 : 400;
    context.res.headers.set("x-fc-status", context.res.status >= failsFrom ? "404" : "200");
  };
}

/** What the platform calls its hooks in the log; everything else is an invocation. */
const marks: Readonly<Record<string, string>> = { "/initialize": "Initialize", "/pre-stop": "PreStop" };

/** As they stand, apart from the log: the platform looks for these very lines. */
function mark(what: string, requestId: string): void {
  process.stdout.write(`FC ${what} RequestId: ${requestId}\n`);
}
