/** Which model a request is about: by the name and version in its path, or the default. */
import type { Context } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelRunner } from "../models/model-runner.ts";

/** @throws ProtocolError with 404 when it is not served, in that version or at all */
export function requestedModel<R extends ModelRunner>(models: Iterable<R>, context: Context): R {
  const name = context.req.param("model");
  const all = [...models];
  const runner = name === undefined ? defaultOf(all) : all.find(({ model }) => model.name === name);
  if (runner === undefined) {
    const known = all.map(({ model }) => model.name).join(", ") || "none";
    throw new ProtocolError(
      name === undefined
        ? `no model is the default one; name one in the path, /v2/models/NAME/infer: ${known}`
        : `no model "${name}"; there are: ${known}`,
      404,
    );
  }
  const version = context.req.param("version");
  if (version === undefined || version === runner.model.version) return runner;
  throw new ProtocolError(
    `model "${name}" has no version "${version}"; it has: ${runner.model.version}`,
    404,
  );
}

/** The model that says it is, or the only one. */
function defaultOf<R extends ModelRunner>(all: readonly R[]): R | undefined {
  return all.find(({ model }) => model.config?.default === true) ?? (all.length === 1 ? all[0] : undefined);
}
