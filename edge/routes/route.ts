/** The model that a path of the protocol names. */
import { showValue } from "../../base/error-text.ts";
import type { Context } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelRunner } from "../models/model-runner.ts";

/** What a request is about, for the log of its failure. */
export interface Subject {
  readonly model?: string;
  /** The id that the caller gave it. */
  readonly id?: string;
}

const subjectKey = "subject";

export function subjectOf(context: Context): Subject {
  return (context.get(subjectKey) as Subject | undefined) ?? {};
}

/** Add to what is known of the request. */
export function nameSubject(context: Context, known: Subject): void {
  context.set(subjectKey, { ...subjectOf(context), ...known });
}

/** The model that the path names, or the default one. Throws a ProtocolError (404) when it is not served. */
export function requestedModel<R extends ModelRunner>(models: Iterable<R>, context: Context): R {
  const { req } = context;
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
  nameSubject(context, { model: runner.model.name });
  if (version === undefined || version === runner.model.version) return runner;
  const served = runner.model.version || "none";
  throw new ProtocolError(
    `model ${showValue(name)} has no version ${showValue(version)}; there is: ${served}`,
    404,
  );
}

/** The model whose settings say `default: true`, or the only one. */
function defaultOf<R extends ModelRunner>(all: readonly R[]): R | undefined {
  return all.find(({ model }) => model.config?.default === true) ?? (all.length === 1 ? all[0] : undefined);
}
