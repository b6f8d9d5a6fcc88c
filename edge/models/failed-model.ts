/** A model that cannot be served: it stands in the list of models with the reason, and refuses every request with it. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelFile, ModelRunner } from "./model-runner.ts";

/** @param reason names the file at fault */
export function failedModel(model: ModelFile, reason: string): ModelRunner {
  const refuse = (): never => {
    throw new ProtocolError(`model ${model.name} cannot be loaded: ${reason}`, 503);
  };
  return {
    model,
    replicas: 0,
    isReady: false,
    metadata: undefined,
    ready: async () => {
      throw new Error(reason);
    },
    checkRoom: refuse,
    run: async () => refuse(),
    status: () => ({
      name: model.name,
      version: model.version,
      state: "failed",
      queueRows: 0,
      queueBytes: 0,
      openRequests: 0,
      replicas: [],
      lastError: reason,
      events: [],
    }),
    close: async () => {},
  };
}
