/** Makes the messages of the dashboard's stream from what was counted; only while somebody looks. */
import type { TargetCondition } from "../../../targets/target-state.ts";
import { headlineOf } from "./headline.ts";
import { batchClasses, coarseMs, fineMs, ofModel, ofTarget, others } from "./history.ts";
import type { QueueDashboard, ShownTarget } from "./queue-dashboard.ts";
import { awayAfterMs } from "./target-watchbook.ts";
import type { SeriesStore } from "./series-store.ts";
import type {
  WireChange,
  WireDecision,
  WireMessage,
  WireModel,
  WireMoney,
  WireNow,
  WireSeries,
  WireTarget,
} from "./wire.ts";

const recentMs = 300_000;
const hourMs = 3_600_000;
/** Models that are shown. */
const mostModels = 50;
/** Bins of a message that is not the first: more are left out, and the page shows a gap. */
const mostBins = 30;

export class Snapshot {
  readonly #dashboard: QueueDashboard;

  constructor(dashboard: QueueDashboard) {
    this.#dashboard = dashboard;
  }

  full(): WireMessage {
    const { history, changes, decisions, unixOf } = this.#dashboard;
    return {
      now: this.#now(),
      fine: this.#series(history.fine, fineMs, 0),
      coarse: this.#series(history.coarse, coarseMs, 0),
      changes: changes.since(0, unixOf),
      decisions: decisions.shown(unixOf),
    };
  }

  /** @param sent the newest bins that were sent before */
  next(
    sent: { readonly fine: number; readonly coarse: number },
    changes: readonly WireChange[],
    decisions: readonly WireDecision[],
  ): WireMessage {
    const { fine, coarse } = this.#dashboard.history;
    return {
      now: this.#now(),
      fine: this.#series(fine, fineMs, Math.max(sent.fine + 1, fine.last - mostBins)),
      coarse: this.#series(coarse, coarseMs, Math.max(sent.coarse + 1, coarse.last - 1)),
      changes,
      decisions,
    };
  }

  #series(store: SeriesStore, stepMs: number, from: number): WireSeries {
    const first = Math.max(from, store.first);
    const fromUnixMs = this.#dashboard.unixOf(first * stepMs);
    return { stepMs, fromUnixMs, columns: store.columns(), rows: store.last < 0 ? [] : store.rows(first) };
  }

  #now(): WireNow {
    const { options, history, boot, startedUnixMs, state, unixOf } = this.#dashboard;
    const nowMs = options.nowMs();
    const nowUnixMs = unixOf(nowMs);
    const targets = this.#targets(nowMs);
    const recent = this.#recent(nowUnixMs - startedUnixMs);
    const money = this.#money(recent.spanMs);
    const headline = headlineOf({
      state,
      recent,
      targets,
      money,
      sloQuantile: options.sloQuantile,
      nowUnixMs,
      startedUnixMs,
      waitingRows: history.lanes.reduce((sum, { waitingRows }) => sum + waitingRows, 0),
      mainLoss: this.#mainLoss(nowMs),
      perHourBefore: this.#perHourBefore(targets, nowUnixMs),
      hadRequests:
        history.coarse.sum("arrivals", "", Infinity) + history.fine.sum("arrivals", "", Infinity) > 0,
    });
    return {
      nowUnixMs,
      boot,
      startedUnixMs,
      state,
      sloMs: options.sloMs,
      sloQuantile: options.sloQuantile,
      policy: options.policy,
      headline,
      lanes: history.lanes.map(({ name, waitingRequests: requests, waitingRows: rows }) => {
        return { name, sloMs: options.lanes[name] ?? options.sloMs, requests, rows };
      }),
      targets,
      batches: this.#batches(targets, nowMs),
      money,
      models: this.#models(nowMs),
      recent,
      viewers: this.#dashboard.streams.count,
    };
  }

  #recent(upMs: number): WireNow["recent"] {
    const { fine } = this.#dashboard.history;
    const bins = recentMs / fineMs;
    const of = (kind: "arrivals" | "inTime" | "late" | "refused" | "failed"): number =>
      fine.sum(kind, "", bins);
    const [arrived, inTime, late, refused, failed] = [
      of("arrivals"),
      of("inTime"),
      of("late"),
      of("refused"),
      of("failed"),
    ];
    const p99Ms = this.#dashboard.history.latencyMs(0.99, this.#dashboard.options.nowMs());
    return {
      spanMs: Math.min(recentMs, Math.max(1_000, upMs)),
      arrived,
      inTime,
      late,
      refused,
      failed,
      p99Ms,
    };
  }

  #money(spanMs: number): WireMoney {
    const { options, history } = this.#dashboard;
    const { currency, hour, day, isReached } = options.spend();
    const bins = recentMs / fineMs;
    const hours = spanMs / hourMs;
    const hasFunctions = options.targets().some(({ kind }) => kind === "serverless");
    const alone = history.fine.sum("alone", "", bins);
    const isKnown = alone > 0;
    return {
      currency,
      perHour: history.fine.sum("cost", "", bins) / hours,
      alonePerHour: isKnown ? alone / hours : null,
      hour,
      day,
      isReached,
      hasFunctions,
    };
  }

  /** What an hour cost in the ten minutes before the first target that is away went. */
  #perHourBefore(targets: readonly WireTarget[], nowUnixMs: number): number | undefined {
    const away = targets.filter(
      ({ health, sinceUnixMs }) => health !== "healthy" && nowUnixMs - sinceUnixMs >= awayAfterMs,
    );
    if (away.length === 0) return undefined;
    const sinceMs = Math.min(...away.map(({ sinceUnixMs }) => sinceUnixMs));
    const { coarse } = this.#dashboard.history;
    const last = coarse.last - Math.ceil((nowUnixMs - sinceMs) / coarseMs);
    const first = Math.max(coarse.first, last - 19);
    if (last < first || coarse.last < 0) return undefined;
    const bins = last - first + 1;
    const until = coarse.last - first + 1;
    const cost = coarse.sum("cost", "", until) - coarse.sum("cost", "", until - bins);
    return (cost * hourMs) / (bins * coarseMs);
  }

  #mainLoss(nowMs: number): string | undefined {
    let most: { readonly code: string; readonly count: number } | undefined;
    for (const [code, counts] of this.#dashboard.history.losses.entries()) {
      const count = counts.sum(0, nowMs, recentMs);
      if (count > (most?.count ?? 0)) most = { code, count };
    }
    return most?.code;
  }

  #targets(nowMs: number): WireTarget[] {
    const { options, conditions } = this.#dashboard;
    const byName = new Map(conditions.map((condition) => [condition.name, condition]));
    const known = this.#dashboard.beliefs();
    const shown = options.targets();
    return shown.map((target) => {
      const belief = known.of.find(({ name }) => name === target.name);
      return this.#target(
        target,
        byName.get(target.name),
        nowMs,
        belief && { model: known.model, ...belief },
      );
    });
  }

  #target(
    { name, kind, at }: ShownTarget,
    condition: TargetCondition | undefined,
    nowMs: number,
    belief: WireTarget["belief"],
  ): WireTarget {
    const { book, history, startedUnixMs, unixOf, unreachable } = this.#dashboard;
    const standing = book.standingOf(name);
    const lost = unreachable.get(name);
    const isLost = lost !== undefined && condition?.health !== "paused";
    const health =
      isLost && condition?.health !== "probing" ? "unreachable" : (condition?.health ?? "healthy");
    const sinceMs =
      standing === undefined ? undefined : standing.isWell && isLost ? lost.sinceMs : standing.sinceMs;
    const why = health === "healthy" ? undefined : (condition?.why ?? standing?.why ?? lost?.why);
    const counts = history.targets.get(name);
    const of = (what: number): number => counts?.sum(what, nowMs, recentMs) ?? 0;
    return {
      name,
      kind,
      at,
      health,
      sinceUnixMs: sinceMs === undefined ? startedUnixMs : unixOf(sinceMs),
      ...(why !== undefined && { why: why.slice(0, 400) }),
      inFlight: condition?.inFlight ?? 0,
      answered: of(ofTarget.answered),
      batches: of(ofTarget.batches),
      failed: of(ofTarget.failed),
      cost: of(ofTarget.cost),
      ...(belief !== undefined && { belief }),
      ...book.errorsOf(name),
    };
  }

  #batches(targets: readonly WireTarget[], nowMs: number): WireNow["batches"] {
    const { history } = this.#dashboard;
    const rows = [...targets.map(({ name }) => name), others].flatMap((name) => {
      const counts = history.targets.get(name);
      if (counts === undefined) return [];
      return [
        { name, counts: batchClasses.map((_, index) => counts.sum(ofTarget.sizes + index, nowMs, recentMs)) },
      ];
    });
    return { mostRows: batchClasses.map((most) => (most === Infinity ? null : most)), targets: rows };
  }

  #models(nowMs: number): WireModel[] {
    const models = Array.from(this.#dashboard.history.models.entries(), ([name, counts]): WireModel => {
      const of = (what: number): number => counts.sum(what, nowMs, recentMs);
      const answered = of(ofModel.answered);
      return {
        name,
        requests: of(ofModel.arrived),
        inTime: of(ofModel.inTime),
        missed: of(ofModel.missed),
        meanMs: answered === 0 ? null : of(ofModel.latencyMs) / answered,
      };
    });
    return models
      .filter(({ requests, inTime, missed }) => requests + inTime + missed > 0)
      .sort((a, b) => b.requests - a.requests)
      .slice(0, mostModels);
  }
}
