/** Endpoints of the protocol: known paths with one method each (405 for any other), with and without a version. */
import type { Handler, Hono } from "hono";
import { shortened } from "../../base/error-text.ts";
import { errorBody } from "../errors.ts";

/** Answers a method at some paths, and every other method there with 405. HEAD is answered like GET, without a body. */
export function route(app: Hono, method: "GET" | "POST", paths: readonly string[], handler: Handler): void {
  for (const path of paths) {
    app.on(method, path, handler);
    app.all(path, (context) => {
      const message = `${context.req.method} ${shortened(context.req.path)} is not allowed; allowed: ${method}`;
      return context.json(errorBody(message), 405, { allow: method });
    });
  }
}

/** The paths of something that concerns a model, with and without the version. */
export function modelPaths(what: string): string[] {
  return [`/v2/models/:model${what}`, `/v2/models/:model/versions/:version${what}`];
}
