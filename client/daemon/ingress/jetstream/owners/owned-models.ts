/** The models that a daemon owns on the engine, or stands in line for: of each its parts. */
import type { Engine } from "../../../../../base/nats/engine.ts";
import type { ConsumerInfos } from "../consumer-infos.ts";
import { ModelConsumer, type ModelConsumerOptions } from "../model-consumer.ts";
import type { OfferedEdges, OwnerHandlers, Ownership } from "../request-bus.ts";
import { ModelParts } from "./model-parts.ts";
import type { SharedOwners } from "./shared-owners.ts";

export interface OwnedModelsOptions extends Pick<
  ModelConsumerOptions,
  "limits" | "log" | "store" | "bodies"
> {
  readonly engine: Engine;
  readonly infos: Pick<ConsumerInfos, "serverNowMs">;
  /** Undefined: the server has no pins, and all daemons own all models. */
  readonly owners: SharedOwners | undefined;
}

/** Of a further part as many requests are in work at once as this divides those of a model by. */
const partWindow = 4;

export class OwnedModels {
  readonly #options: OwnedModelsOptions;
  readonly #owned = new Map<string, { readonly parts: ModelParts; readonly handlers: OwnerHandlers }>();

  constructor(options: OwnedModelsOptions) {
    this.#options = options;
  }

  own(model: string, handlers: OwnerHandlers, edges: OfferedEdges): Ownership {
    const { engine, infos, limits, owners, ...rest } = this.#options;
    const further = { ...limits, window: Math.ceil(limits.window / partWindow) };
    const parts = new ModelParts({
      model,
      queue: engine.names.requests,
      owners,
      parts: () => owners?.partsOf(model) ?? 1,
      consume: (queue, part) =>
        new ModelConsumer({
          ...rest,
          queue,
          model,
          handlers,
          engine,
          limits: part === 0 ? limits : further,
          serverNowMs: () => infos.serverNowMs(),
        }),
    });
    const owned = { parts, handlers };
    this.#owned.set(model, owned);
    owners?.offer(model, edges);
    return {
      leave: async () => {
        if (this.#owned.get(model) === owned) {
          this.#owned.delete(model);
          await owners?.withdraw(model);
        }
        await parts.leave();
      },
    };
  }

  cancelled(key: string): void {
    for (const { handlers } of this.#owned.values()) handlers.cancel(key);
  }

  async close(): Promise<void> {
    await this.#options.owners?.close();
    await Promise.all(Array.from(this.#owned.values(), ({ parts }) => parts.leave()));
  }
}
