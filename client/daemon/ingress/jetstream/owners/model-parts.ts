/**
 * A daemon's place in the lines for the parts of a model: it stands in line for those that it owns, and for those that it
 * takes over when their owner is gone. A model with one owner has one part, and everybody stands in line for it.
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
  readonly owners: Pick<SharedOwners, "placeFor" | "onChange"> | undefined;
  /** How many parts there are now. */
  readonly parts: () => number;
  readonly consume: (queue: ConsumedQueue, part: number) => Consumer;
}

type Consumer = Pick<ModelConsumer, "leave" | "isOwner">;

const lookEveryMs = 500;
/** How long who has passed a part on lets its owner come first. */
const asideMs = 1_500;

export class ModelParts implements Ownership {
  readonly #options: ModelPartsOptions;
  readonly #inLine = new Map<number, Consumer>();
  readonly #asideUntilMs = new Map<number, number>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #forgetChanges: () => void;
  #hasLeft = false;

  constructor(options: ModelPartsOptions) {
    this.#options = options;
    this.#forgetChanges = options.owners?.onChange(() => this.#look()) ?? (() => {});
    if (options.owners !== undefined) this.#timer = setInterval(() => this.#look(), lookEveryMs).unref();
    this.#look();
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    clearInterval(this.#timer);
    this.#forgetChanges();
    for (const part of this.#inLine.keys()) this.#leave(part);
    await Promise.all(this.#leaving);
  }

  #look(): void {
    if (this.#hasLeft) return;
    const { model, queue, owners, parts, consume } = this.#options;
    for (let part = 0; part < parts(); part++) {
      const place = owners?.placeFor(model, part) ?? "own";
      const consumer = this.#inLine.get(part);
      // The server may have chosen the next one although the owner is there.
      if (place === "next" && consumer?.isOwner === true) {
        this.#leave(part);
        this.#asideUntilMs.set(part, performance.now() + asideMs);
      } else if (place === "away") this.#leave(part);
      else if (consumer === undefined && (place === "own" || this.#isBack(part))) {
        this.#asideUntilMs.delete(part);
        const own = {
          ...queue,
          filter: () => queue.filter(model, part),
          consumer: () => queue.consumer(model, part),
        };
        this.#inLine.set(part, consume(own, part));
      }
    }
  }

  #isBack(part: number): boolean {
    return performance.now() >= (this.#asideUntilMs.get(part) ?? -Infinity);
  }

  #leave(part: number): void {
    const consumer = this.#inLine.get(part);
    if (consumer === undefined) return;
    this.#inLine.delete(part);
    const left = consumer.leave();
    this.#leaving.add(left);
    void left.finally(() => this.#leaving.delete(left));
  }
}
