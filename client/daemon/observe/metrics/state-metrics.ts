/** Gauges of the queue that are read at each scrape: what waits, how the targets are, what is spent and left. */
import { type Gauge, type Registry, scrapedGauge } from "../../../../base/program/metric-registry.ts";
import type { SpendStatus } from "../../../targets/spend-cap.ts";
import type { TargetCondition } from "../../../targets/target-state.ts";
import type { ModelRule } from "../../joining/batch-rules.ts";
import type { LaneCells, TargetCells } from "./cells.ts";
import { prefix } from "./families.ts";

export interface QueueState {
  /** What functions cost of late, measuring included. */
  readonly spend: () => SpendStatus;
  /** What is known of each model in use. */
  readonly rules: () => readonly ModelRule[];
  /** By lane, with "" for requests without one. */
  readonly slosMs: Readonly<Record<string, number>>;
  readonly lanes: () => readonly LaneCells[];
  readonly targets: () => readonly TargetCells[];
  /** Each target as the queue sees it now. */
  readonly conditions: () => readonly TargetCondition[];
  readonly inFlightRequests: () => number;
  /** By lane, how long the oldest request that waits has waited, in milliseconds. */
  readonly oldestWaitsMs: () => ReadonlyMap<LaneCells, number>;
}

/** Health and admission of a target, as labels; `excluded` is for single lines and never of a whole target. */
const healths = ["healthy", "paused", "probing"] as const;

export function addStateMetrics(registry: Registry, state: QueueState): void {
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void => scrapedGauge(registry, { name: `${prefix}${name}`, help, labels }, fill);
  gauge("models", "Models in use by whether their requests are joined", ["joins"], (metric) => {
    const counts = { yes: 0, no: 0, unproved: 0 };
    for (const { joins, isKnown } of state.rules()) counts[isKnown ? (joins ? "yes" : "no") : "unproved"]++;
    for (const [joins, count] of Object.entries(counts)) metric.set({ joins }, count);
  });
  gauge(
    "slo_seconds",
    "Longest time to an answer that requests of the lane are promised",
    ["lane"],
    (metric) => {
      for (const [lane, sloMs] of Object.entries(state.slosMs)) metric.set({ lane }, sloMs / 1_000);
    },
  );
  gauge("waiting_requests", "Requests with rows that wait to be sent", ["lane"], (metric) => {
    for (const { name, waitingRequests } of state.lanes()) metric.set({ lane: name }, waitingRequests);
  });
  gauge("waiting_rows", "Rows that wait to be sent", ["lane"], (metric) => {
    for (const { name, waitingRows } of state.lanes()) metric.set({ lane: name }, waitingRows);
  });
  gauge(
    "oldest_wait_seconds",
    "Time since the arrival of the oldest request that waits",
    ["lane"],
    (metric) => {
      const waits = state.oldestWaitsMs();
      for (const lane of state.lanes()) metric.set({ lane: lane.name }, (waits.get(lane) ?? 0) / 1_000);
    },
  );
  gauge("inflight_requests", "Requests that were sent and are not answered", [], (metric) =>
    metric.set(state.inFlightRequests()),
  );
  gauge("inflight_batches", "Batches that were sent and are not answered", ["target"], (metric) => {
    for (const { name, inFlight } of state.targets()) metric.set({ target: name }, inFlight);
  });
  addTargetStates(gauge, state);
  addSpend(gauge, state);
}

type AddGauge = <Label extends string>(
  name: string,
  help: string,
  labels: readonly Label[],
  fill: (gauge: Gauge<Label>) => void,
) => void;

function addTargetStates(gauge: AddGauge, { conditions }: QueueState): void {
  gauge(
    "target_state",
    "1 for the state of a target's circuit breaker, else 0: healthy, paused after a failure or refusal, or probing",
    ["target", "kind", "state"],
    (metric) => {
      for (const { name: target, kind, health } of conditions())
        for (const state of healths) metric.set({ target, kind, state }, Number(health === state));
    },
  );
  gauge(
    "target_calls_allowed",
    "Most batches that the target may have at once now: none while it is paused, 1 while a function is probed",
    ["target", "kind"],
    (metric) => {
      for (const { name: target, kind, health, maxInFlight } of conditions())
        metric.set({ target, kind }, health === "paused" ? 0 : maxInFlight);
    },
  );
}

function addSpend(gauge: AddGauge, { spend }: QueueState): void {
  const windows = ["hour", "day"] as const;
  gauge("spend", "What functions cost within the last hour and day", ["window", "currency"], (metric) => {
    const status = spend();
    for (const window of windows) metric.set({ window, currency: status.currency }, status[window].spent);
  });
  gauge(
    "spend_limit",
    "What functions may cost within an hour and a day, where that is limited",
    ["window", "currency"],
    (metric) => {
      const status = spend();
      for (const window of windows) {
        const { limit } = status[window];
        if (limit !== null) metric.set({ window, currency: status.currency }, limit);
      }
    },
  );
  gauge(
    "spend_left",
    "What is left of that, without what is reserved for calls under way, or what others that share it hold",
    ["window", "currency"],
    (metric) => {
      const { currency, reserved, shared, ...status } = spend();
      for (const window of windows) {
        const { spent, limit } = status[window];
        const used = Math.max(spent + reserved, shared?.[window] ?? 0);
        if (limit !== null) metric.set({ window, currency }, Math.max(0, limit - used));
      }
    },
  );
  gauge(
    "spend_cap_reached",
    "1 while functions are not called because the limit is reached, else 0",
    [],
    (metric) => metric.set(Number(spend().isReached)),
  );
}
