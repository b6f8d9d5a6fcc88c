/**
 * A daemon's place in the lines for the parts of a model: it stands in line for those that it owns. A model with one owner
 * has one part, and everybody stands in line for it.
 */
import type { ConsumedQueue, ModelConsumer } from "../model-consumer.ts";
import type { Ownership } from "../request-bus.ts";
import type { SharedOwners } from "./shared-owners.ts";

export interface PartedQueue extends Omit<ConsumedQueue, "filter" | "consumer"> {
  readonly filter: (model: string, part: number) => string;
  readonly consumer: (model: string, part: number) => string;
}

export interface ModelPartsOptions {
  readonly model: string;
  readonly queue: PartedQueue;
  readonly owners: Pick<SharedOwners, "isOwn" | "onChange"> | undefined;
  /** How many parts there are now. */
  readonly parts: () => number;
  readonly consume: (queue: ConsumedQueue, part: number) => Pick<ModelConsumer, "leave" | "handOver">;
}

export class ModelParts implements Ownership {
  readonly #options: ModelPartsOptions;
  readonly #inLine = new Map<number, Pick<ModelConsumer, "leave" | "handOver">>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #forgetChanges: () => void;
  #hasLeft = false;

  constructor(options: ModelPartsOptions) {
    this.#options = options;
    this.#forgetChanges = options.owners?.onChange(() => this.#look()) ?? (() => {});
    this.#look();
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    this.#forgetChanges();
    await Promise.all([...this.#leaving, ...Array.from(this.#inLine.values(), (each) => each.leave())]);
  }

  #look(): void {
    if (this.#hasLeft) return;
    const { model, queue, owners, parts, consume } = this.#options;
    for (let part = 0; part < parts(); part++) {
      const consumer = this.#inLine.get(part);
      const isOwn = owners?.isOwn(model, part) ?? true;
      if (isOwn && consumer === undefined) {
        const own = {
          ...queue,
          filter: () => queue.filter(model, part),
          consumer: () => queue.consumer(model, part),
        };
        this.#inLine.set(part, consume(own, part));
      } else if (!isOwn && consumer !== undefined) {
        this.#inLine.delete(part);
        const left = consumer.handOver();
        this.#leaving.add(left);
        void left.finally(() => this.#leaving.delete(left));
      }
    }
  }
}
