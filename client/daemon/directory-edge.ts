/** One edge as the directory of models knows it, and the error of a model that nobody has. */
import { showValue } from "../../base/error-text.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { HttpTransport } from "../transports/http-transport.ts";
import { type ListedModel, listedModels } from "./repository-index.ts";

/** An edge, and the models that it listed last by name; undefined before it has listed any. */
export interface DirectoryEdge {
  readonly transport: Pick<HttpTransport, "get" | "post">;
  listed: ReadonlyMap<string, readonly ListedModel[]> | undefined;
}

/** Notes what the edge lists. Resolves with the error when it did not answer, else with undefined. */
export async function askForList(edge: DirectoryEdge): Promise<unknown> {
  try {
    const models = await listedModels(edge.transport);
    if (models !== undefined) edge.listed = byName(models);
    return undefined;
  } catch (error) {
    return error;
  }
}

function byName(models: readonly ListedModel[]): Map<string, ListedModel[]> {
  const versions = new Map<string, ListedModel[]>();
  for (const model of models) versions.set(model.name, [...(versions.get(model.name) ?? []), model]);
  return versions;
}

/** @param known names that callers may have meant */
export function notFound(model: string, known: readonly string[]): SpillwayError {
  const there = known.length === 0 ? "no target lists any" : `there are: ${known.join(", ")}`;
  return new SpillwayError("model_not_found", `no model ${showValue(model)}; ${there}`);
}
