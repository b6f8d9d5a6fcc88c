/** What clients are told of a model that cannot answer now. */
import { shortened } from "../../base/error-text.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import type { ModelRunner } from "./model-runner.ts";

/** Most models that are listed with their reasons. */
const mostListed = 50;

/** Why a model is not ready; undefined when it is. */
export function whyNotReady(runner: ModelRunner): string | undefined {
  if (runner.isReady) return undefined;
  const { state, lastError } = runner.status();
  if (state === "ready" || state === "stopping") return "it is about to stop";
  if (lastError !== undefined) return state === "failed" ? `it cannot be loaded: ${lastError}` : lastError;
  return state === "loading" ? "it is not loaded yet" : "none of its replicas is up";
}

/** Whether a model could never be loaded, so that waiting for it would keep the others from being used. */
function isLost(runner: ModelRunner): boolean {
  const { state } = runner.status();
  return state === "failed" || (state === "unhealthy" && runner.metadata === undefined);
}

/** How a server stands as a whole, as the body of `/v2/health/ready`. */
export interface Readiness {
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
  /** The models that cannot answer. Those that could never be loaded do not keep the server from being ready. */
  readonly unavailable?: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * A server is ready when it serves a model, and every model that can be loaded can answer.
 *
 * @example
 * readinessOf([]); // { ready: false, reason: "no model is served" }
 */
export function readinessOf(models: Iterable<ModelRunner>): Readiness {
  const all = [...models];
  const bad = all.filter(({ isReady }) => !isReady);
  const awaited = bad.find((runner) => !isLost(runner)) ?? (bad.length === all.length ? bad[0] : undefined);
  const unavailable = bad.slice(0, mostListed).map((runner) => {
    return { name: runner.model.name, reason: whyNotReady(runner) ?? "" };
  });
  const listed = unavailable.length === 0 ? {} : { unavailable };
  if (all.length === 0) return { ready: false, reason: "no model is served" };
  if (awaited === undefined) return { ready: true, ...listed };
  const reason = `model ${shortened(awaited.model.name)}: ${whyNotReady(awaited)}`;
  return { ready: false, reason, ...listed };
}

/** Resolves when a model that is loaded on demand is known; at once for others. Rejects when it cannot be loaded. */
export async function untilKnown(runner: ModelRunner): Promise<void> {
  if (runner.metadata === undefined && runner.isOnDemand === true) await runner.ready();
}

/** @throws ProtocolError (503) with the reason when nothing is known of the model yet */
export function metadataOrRefusal(runner: ModelRunner): ModelMetadata {
  if (runner.metadata !== undefined) return runner.metadata;
  throw new ProtocolError(
    `model "${runner.model.name}": ${whyNotReady(runner) ?? "it is not loaded yet"}`,
    503,
  );
}
