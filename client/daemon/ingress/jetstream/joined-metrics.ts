/** The metrics of a daemon that joined: its callers that wait, and what became of the requests that it took of the shared queues. */
import { Counter, Gauge, Registry } from "../../../../base/program/metric-registry.ts";
import type { OwnerCounts } from "./owner.ts";
import type { HeldShare } from "./owners/split-models.ts";

export interface JoinedLoad {
  readonly isConnected: boolean;
  /** Callers of this daemon whose request is in a shared queue, or in work. */
  readonly waiting: number;
  /** Models whose shared queues it stands in line for. */
  readonly models: number;
  readonly counts: OwnerCounts;
  /** What it has of models with several owners. */
  readonly shares: readonly HeldShare[];
}

const prefix = "spillway_queue_joined_";

export class JoinedMetrics {
  readonly #registry = new Registry();

  constructor(load: () => JoinedLoad) {
    const registers = [this.#registry];
    const requests: Counter<"event"> = new Counter({
      name: `${prefix}requests_total`,
      help: "Requests that were taken of the shared queues: taken, of these again, answered, failed, doubled (there was a result), expired",
      labelNames: ["event"],
      registers,
      collect: () => {
        requests.reset();
        for (const [event, count] of Object.entries(load().counts)) requests.inc({ event }, count);
      },
    });
    this.#gauge(
      "waiting",
      "Callers of this daemon whose request is in a shared queue, or in work",
      () => load().waiting,
    );
    this.#gauge(
      "models",
      "Models whose shared queues this daemon takes of, or stands in line for",
      () => load().models,
    );
    const shared = (name: string, help: string, value: (share: HeldShare) => number): void => {
      const gauge: Gauge<"model"> = new Gauge({
        name: prefix + name,
        help,
        labelNames: ["model"],
        registers,
        collect: () => {
          gauge.reset();
          for (const share of load().shares) gauge.set({ model: share.model }, value(share));
        },
      });
    };
    shared(
      "parts",
      "Parts of a model that was split over owners which this daemon has",
      ({ parts }) => parts,
    );
    shared("edges", "Edges of such a model that this daemon alone uses", ({ edges }) => edges);
    shared("owners", "Daemons that own such a model together", ({ owners }) => owners);
    this.#gauge("connected", "1 while there is a connection to the NATS server", () =>
      Number(load().isConnected),
    );
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, value: () => number): void {
    const gauge: Gauge = new Gauge({
      name: prefix + name,
      help,
      registers: [this.#registry],
      collect: () => gauge.set(value()),
    });
  }
}
