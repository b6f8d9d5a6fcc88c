/** How a model stands of which no replica is up, by how its replicas stand. */
import { ProtocolError, UnavailableError } from "../../protocol/errors.ts";
import type { ModelStatus, ReplicaState } from "../models/model-runner.ts";

/**
 * @param hasFailed whether a replica ended, or could not be started, since one was up
 * @example
 * downState(["failed", "unhealthy"], false, true); // "unhealthy": one of them is still tried
 */
export function downState(
  replicas: readonly ReplicaState[],
  wasLoaded: boolean,
  hasFailed: boolean,
): Exclude<ModelStatus["state"], "ready" | "stopping"> {
  if (replicas.every((state) => state === "failed")) return "failed";
  if (replicas.every((state) => state === "unhealthy" || state === "failed")) return "unhealthy";
  return wasLoaded || hasFailed ? "down" : "loading";
}

/** What a request is told that comes then. Nothing is gained by asking again for a model that has failed. */
export function downError(
  state: ReturnType<typeof downState>,
  model: string,
  reason = "",
  startsInMs = 0,
): ProtocolError {
  switch (state) {
    case "failed":
      return new ProtocolError(`model ${model} cannot be loaded: ${reason}`, 503);
    case "unhealthy": {
      const text = `model ${model} is unhealthy, its replicas end again and again: ${reason}`;
      return new UnavailableError(text, startsInMs);
    }
    case "down":
      return new UnavailableError(`no replica of ${model} is up: ${reason}`);
    case "loading":
      return new UnavailableError(`model ${model} is not loaded yet`);
  }
}

export function shuttingDown(): UnavailableError {
  return new UnavailableError("the server is shutting down");
}

/** What the requests of a batch are told that cost every replica that ran it. */
export function allDied(model: string, reason: string): ProtocolError {
  return new ProtocolError(`every replica of ${model} that ran this request died: ${reason}`, 500);
}
