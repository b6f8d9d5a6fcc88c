/** Endpoints of the protocol: known paths with one method or few (405 for any other), with and without a version. */
import type { Handler, Hono } from "hono";
import { shortened } from "../../base/error-text.ts";
import { errorBody } from "../errors.ts";

/** Answers a method at some paths, and every other method there with 405. HEAD is answered like GET, without a body. */
export function route(app: Hono, method: "GET" | "POST", paths: readonly string[], handler: Handler): void {
  routes(app, paths, { [method]: handler });
}

/** The same for several methods. */
export function routes(
  app: Hono,
  paths: readonly string[],
  handlers: Readonly<Partial<Record<"GET" | "POST" | "DELETE", Handler>>>,
): void {
  const allowed = Object.keys(handlers).join(", ");
  for (const path of paths) {
    for (const [method, handler] of Object.entries(handlers)) app.on(method, path, handler);
    app.all(path, (context) => {
      const message = `${context.req.method} ${shortened(context.req.path)} is not allowed; allowed: ${allowed}`;
      return context.json(errorBody(message), 405, { allow: allowed });
    });
  }
}

/** The paths of something that concerns a model, with and without the version. */
export function modelPaths(what: string): string[] {
  return [`/v2/models/:model${what}`, `/v2/models/:model/versions/:version${what}`];
}
