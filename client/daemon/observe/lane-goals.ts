/**
 * Whether each lane keeps its promise: of its last requests, the share that was in time, and the latency at the lane's own
 * quantile. Remembers the requests that have not ended, and of each lane the last thousand that have.
 */
import { Gauge, Registry } from "../../../base/program/metric-registry.ts";
import { errorKinds } from "../../../base/errors.ts";
import { quantileOfSorted } from "../../../base/quantile.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";
import { OpenEntries } from "./metrics/open-entries.ts";
import type { PlanRecord, QueueObserver } from "./observer.ts";

/** What a lane promises. */
export interface LaneGoal {
  /** Time from arrival to deadline, in milliseconds. */
  readonly sloMs: number;
  /** Share of the requests that must be answered by then, 0 to 1. */
  readonly sloQuantile: number;
}

/** A goal, and how the lane has kept it of late. */
export interface LaneReport extends LaneGoal {
  /** The lane's last requests, 1,000 at most. */
  readonly recent: {
    readonly requests: number;
    /** Part of them that was answered by its deadline; null without requests. */
    readonly inSloShare: number | null;
    /** Latency at the lane's quantile; null when fewer were answered. */
    readonly latencyMs: number | null;
    /** Whether the share is as large as promised; null without requests. */
    readonly isMet: boolean | null;
  };
}

const mostRecent = 1_000;

class Recent {
  /** Rings: how long each request took, Infinity without an answer; and whether it was in time. */
  readonly #latenciesMs = new Float64Array(mostRecent);
  readonly #inTime = new Uint8Array(mostRecent);
  #seen = 0;

  add(latencyMs: number, isInTime: boolean): void {
    const at = this.#seen++ % mostRecent;
    this.#latenciesMs[at] = latencyMs;
    this.#inTime[at] = isInTime ? 1 : 0;
  }

  report({ sloMs, sloQuantile }: LaneGoal): LaneReport {
    const requests = Math.min(this.#seen, mostRecent);
    const goal = { sloMs, sloQuantile };
    if (requests === 0)
      return { ...goal, recent: { requests, inSloShare: null, latencyMs: null, isMet: null } };
    const sorted = this.#latenciesMs.slice(0, requests).sort();
    const latencyMs = quantileOfSorted(sorted, sloQuantile);
    const inSloShare = this.#inTime.subarray(0, requests).reduce((sum, each) => sum + each, 0) / requests;
    return {
      ...goal,
      recent: {
        requests,
        inSloShare,
        latencyMs: Number.isFinite(latencyMs) ? latencyMs : null,
        isMet: inSloShare >= sloQuantile,
      },
    };
  }
}

export class LaneGoals implements QueueObserver {
  readonly #goals: Readonly<Record<string, LaneGoal>>;
  readonly #recent = new Map<string, Recent>();
  readonly #open = new OpenEntries(() => ({ id: -1, lane: "", arrivedAtMs: 0 }));
  readonly #registry = new Registry();

  /** @param goals by lane, with "" for requests without a lane */
  constructor(goals: Readonly<Record<string, LaneGoal>>) {
    this.#goals = goals;
    for (const lane of Object.keys(goals)) this.#recent.set(lane, new Recent());
    this.#gauge(
      "slo_quantile",
      "Share of the lane's requests that must meet its SLO",
      ({ sloQuantile }) => sloQuantile,
    );
    this.#gauge(
      "lane_in_slo_share",
      "Share of the lane's last 1,000 requests that met its SLO",
      ({ recent }) => recent.inSloShare,
    );
    this.#gauge(
      "lane_latency_seconds",
      "Latency of these requests at the lane's quantile",
      ({ recent }) => recent.latencyMs && recent.latencyMs / 1_000,
    );
  }

  observe(event: QueueEvent | PlanRecord): void {
    if (event.kind === "arrival") {
      const request = this.#open.add(event.id);
      request.lane = event.lane ?? "";
      request.arrivedAtMs = event.atMs;
    } else if (event.kind === "end") this.#ended(event);
  }

  /** By lane. */
  reports(): Record<string, LaneReport> {
    return Object.fromEntries(
      Object.entries(this.#goals).map(([lane, goal]) => [
        lane,
        (this.#recent.get(lane) as Recent).report(goal),
      ]),
    );
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Neither those whose callers left count, nor those that were refused for what is in them. */
  #ended({ id, outcome, code, atMs }: QueueEvent & { kind: "end" }): void {
    const request = this.#open.of(id);
    if (request === undefined) return;
    const { lane, arrivedAtMs } = request;
    this.#open.delete(request);
    if (outcome === "cancelled") return;
    if (code !== undefined && errorKinds[code].status < 500) return;
    const isAnswered = outcome === "served" || outcome === "late";
    const latencyMs = isAnswered ? atMs - arrivedAtMs : Infinity;
    this.#recent.get(lane)?.add(latencyMs, outcome === "served");
  }

  #gauge(name: string, help: string, read: (report: LaneReport) => number | null): void {
    const gauge: Gauge<"lane"> = new Gauge({
      name: `spillway_queue_${name}`,
      help,
      labelNames: ["lane"],
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const [lane, report] of Object.entries(this.reports())) {
          const value = read(report);
          if (value !== null) gauge.set({ lane }, value);
        }
      },
    });
  }
}
