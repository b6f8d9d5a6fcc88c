/** Endpoints as the protocol has them: known paths with one method each; any other method is 405, not 404. */
import type { Context, Handler, Hono } from "hono";
import { errorBody } from "../../protocol/errors.ts";

export function route(app: Hono, method: "GET" | "POST", paths: readonly string[], handler: Handler): void {
  for (const path of paths) {
    app.on(method, path, handler);
    app.all(path, (context) => wrongMethod(context, method));
  }
}

function wrongMethod(context: Context, allowed: string): Response {
  const { method, path } = context.req;
  return context.json(errorBody(`${method} ${path} is not allowed; allowed: ${allowed}`), 405, {
    allow: allowed,
  });
}

/** The paths of what concerns a model, with and without the version. */
export function modelPaths(what: string): string[] {
  return [`/v2/models/:model${what}`, `/v2/models/:model/versions/:version${what}`];
}
