/** One edge as the directory of models knows it, and the error of a model that nobody has. */
import { showValue } from "../../base/error-text.ts";
import { SpillwayError } from "../../base/errors.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { modelPath } from "../../protocol/model-path.ts";
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
  for (const model of models) {
    const others = versions.get(model.name);
    if (others === undefined) versions.set(model.name, [model]);
    else others.push(model);
  }
  return versions;
}

/** Most bytes of a request that an edge names as an example. */
const mostExampleBytes = 17 * 2 ** 20;

/** A request that suits the model, as an edge of ours names one; undefined when this server does not, or makes no sense. */
export async function namedExample(
  { transport }: DirectoryEdge,
  model: string,
  timeoutMs: number,
): Promise<InferRequest | undefined> {
  try {
    const reply = await transport.get(`${modelPath(model)}/example`, timeoutMs, mostExampleBytes);
    return reply.status === 200 ? decodeInferRequest(reply.body, reply.headerBytes) : undefined;
  } catch {
    return undefined;
  }
}

/** Names that an error lists. */
const mostShown = 10;

/** @param known names that callers may have meant */
export function notFound(model: string, known: readonly string[]): SpillwayError {
  const shown = known.slice(0, mostShown).join(", ");
  const more = known.length > mostShown ? ` and ${known.length - mostShown} more` : "";
  const there = known.length === 0 ? "no target lists any" : `there are: ${shown}${more}`;
  return new SpillwayError("model_not_found", `no model ${showValue(model)}; ${there}`);
}
