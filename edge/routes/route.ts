/** Endpoints of the protocol: known paths with one method each (405 for any other), and the model that a path names. */
import type { Context, Handler, Hono } from "hono";
import { errorBody, ProtocolError } from "../../protocol/errors.ts";
import type { ModelRunner } from "../models/model-runner.ts";

export function route(app: Hono, method: "GET" | "POST", paths: readonly string[], handler: Handler): void {
  for (const path of paths) {
    app.on(method, path, handler);
    app.all(path, (context) => {
      const message = `${context.req.method} ${context.req.path} is not allowed; allowed: ${method}`;
      return context.json(errorBody(message), 405, { allow: method });
    });
  }
}

/** The paths of something that concerns a model, with and without the version. */
export function modelPaths(what: string): string[] {
  return [`/v2/models/:model${what}`, `/v2/models/:model/versions/:version${what}`];
}

/** The model that the path names, or the default one. Throws a ProtocolError (404) when it is not served. */
export function requestedModel<R extends ModelRunner>(models: Iterable<R>, { req }: Context): R {
  const [name, version] = [req.param("model"), req.param("version")];
  const all = [...models];
  const runner = name === undefined ? defaultOf(all) : all.find(({ model }) => model.name === name);
  if (runner === undefined) {
    const known = all.map(({ model }) => model.name).join(", ") || "none";
    const why =
      name === undefined
        ? "there is no default model; name one in the path, as in /v2/models/NAME/infer"
        : `no model "${name}"`;
    throw new ProtocolError(`${why}; there are: ${known}`, 404);
  }
  if (version === undefined || version === runner.model.version) return runner;
  const served = runner.model.version;
  throw new ProtocolError(`model "${name}" has no version "${version}"; there is: ${served}`, 404);
}

/** The model whose settings say `default: true`, or the only one. */
function defaultOf<R extends ModelRunner>(all: readonly R[]): R | undefined {
  return all.find(({ model }) => model.config?.default === true) ?? (all.length === 1 ? all[0] : undefined);
}
