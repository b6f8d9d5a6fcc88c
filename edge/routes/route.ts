/** The model that a path of the protocol names. */
import { showValue } from "../../base/error-text.ts";
import type { Context } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelRunner } from "../models/model-runner.ts";

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
        : `no model ${showValue(name)}`;
    throw new ProtocolError(`${why}; there are: ${known}`, 404);
  }
  if (version === undefined || version === runner.model.version) return runner;
  const served = runner.model.version;
  throw new ProtocolError(
    `model ${showValue(name)} has no version ${showValue(version)}; there is: ${served}`,
    404,
  );
}

/** The model whose settings say `default: true`, or the only one. */
function defaultOf<R extends ModelRunner>(all: readonly R[]): R | undefined {
  return all.find(({ model }) => model.config?.default === true) ?? (all.length === 1 ? all[0] : undefined);
}
