/**
 * Measures models that an edge lists anew while the queue runs: at that edge alone, one model after another, so that it
 * costs no money and holds up little. What is found is told to the queue, which until then plans with a guess.
 */
import type { Logger } from "pino";
import type { ModelTimes } from "../../policies/profile.ts";
import type { DaemonEdge, EdgeList } from "./edge-list.ts";

/** Models that wait to be measured; of more than these the times are learned while they are served. */
const mostWaiting = 64;
/** Models that were measured, or tried; each is measured once at each edge. */
const mostKnown = 4_096;

export interface NewModelsOptions {
  readonly list: Pick<EdgeList, "live">;
  readonly isMeasured: (edge: string, model: string) => boolean;
  /** Undefined when it cannot be measured, which was logged then. */
  readonly measure: (edge: DaemonEdge, model: string, stop: AbortSignal) => Promise<ModelTimes | undefined>;
  readonly onMeasured: (edge: DaemonEdge, model: string, times: ModelTimes) => void;
  readonly log: Pick<Logger, "info">;
}

interface Wanted {
  readonly edge: DaemonEdge;
  readonly model: string;
}

export class NewModels {
  readonly #options: NewModelsOptions;
  readonly #waiting: Wanted[] = [];
  readonly #known = new Set<string>();
  readonly #stop = new AbortController();
  #isMeasuring = false;

  constructor(options: NewModelsOptions) {
    this.#options = options;
  }

  /** An edge lists models that it did not list before. */
  listed(edgeName: string, models: readonly string[]): void {
    const edge = this.#options.list.live.find(({ name }) => name === edgeName);
    if (edge === undefined) return;
    const left: string[] = [];
    for (const model of models) {
      const key = `${edge.name} ${edge.url} ${model}`;
      if (this.#known.has(key) || this.#options.isMeasured(edge.name, model)) continue;
      if (this.#waiting.length >= mostWaiting || this.#known.size >= mostKnown) {
        left.push(model);
        continue;
      }
      this.#known.add(key);
      this.#waiting.push({ edge, model });
    }
    if (left.length > 0)
      this.#options.log.info(
        { edge: edgeName, models: left.length },
        "not measured, because many models are new; their times are learned while they are served",
      );
    void this.#measureAll();
  }

  /** Measures nothing any more. */
  stop(): void {
    this.#stop.abort();
    this.#waiting.length = 0;
  }

  async #measureAll(): Promise<void> {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { edge, model } = next;
      if (edge.state !== "serving") continue;
      const times = await this.#options.measure(edge, model, this.#stop.signal).catch(() => undefined);
      if (times !== undefined && edge.state === "serving" && !this.#stop.signal.aborted)
        this.#options.onMeasured(edge, model, times);
    }
    this.#isMeasuring = false;
  }
}
