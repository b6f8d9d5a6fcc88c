/**
 * Which models an edge has answered, to understand a 404 in words that are not V2's. A gateway without its server answers
 * so, and also many a server that does not know a model.
 */
import { Lru } from "../../base/memory/lru.ts";
import { SpillwayError } from "../../base/errors.ts";

const mostModels = 256;

export class AnsweredModels {
  readonly #models = new Lru<string, true>(mostModels);
  #latest: string | undefined;

  add(model: string): void {
    if (model === this.#latest) return;
    this.#latest = model;
    this.#models.set(model, true);
  }

  /** An edge that answers other models, and never answered this one, does not know it; else the error stays as it is. */
  understood(model: string, status: number, error: SpillwayError): SpillwayError {
    const isOfModel = status === 404 && this.#latest !== undefined && this.#models.get(model) === undefined;
    if (!isOfModel || error.code !== "target_denied") return error;
    return new SpillwayError("model_not_found", error.message);
  }
}
