/** The pictures over time, and the same numbers as tables. */
import { byId, element, fillTable, show } from "../../../../../base/dashboard/browser/dom.ts";
import { Plot, type PlotLine } from "../../../../../base/dashboard/browser/plot.ts";
import { type SeriesBuffer, trailingMean } from "../../../../../base/dashboard/browser/series.ts";
import { duration, figureText, money, moment } from "../../../../../base/dashboard/browser/text.ts";
import type { WireChange, WireNow } from "../wire.ts";

type Values = readonly (number | null)[];

/** Lines with a colour of their own; the others are drawn as one. */
const mostLines = 6;
/** Rows of a table of numbers. */
const tableRows = 10;
/** Over which money is averaged, since calls are few and dear. */
const moneySpanMs = { fine: 60_000, coarse: 300_000 };

export class Pictures {
  readonly #arrivals = new Plot({
    id: "arrivals",
    figure: (value) => `${figureText(value)} /s`,
    tick: figureText,
  });
  readonly #latency = new Plot({ id: "latency", figure: duration, tick: shortDuration });
  readonly #queue = new Plot({ id: "queue", figure: figureText, tick: figureText });
  readonly #where = new Plot({ id: "where", figure: (value) => `${figureText(value)} /s`, tick: figureText });
  readonly #money: Plot;
  readonly #scratch = new Map<string, (number | null)[]>();
  /** Numbers of colours by target, so that each keeps its own. */
  readonly #colors = new Map<string, number>();
  #currency = "";

  constructor() {
    this.#money = new Plot({
      id: "money",
      figure: (value) => money(value, this.#currency),
      tick: figureText,
    });
  }

  draw(series: SeriesBuffer, now: WireNow, changes: readonly WireChange[]): void {
    this.#drawArrivals(series, now, changes);
    this.#drawLatency(series, now);
    this.#drawQueue(series, now);
    this.#drawWhere(series, now);
    this.#drawMoney(series, now);
  }

  #drawArrivals(
    series: SeriesBuffer,
    { nowUnixMs, startedUnixMs: fromUnixMs, state }: WireNow,
    changes: readonly WireChange[],
  ): void {
    const rate = this.#scaled("arrivals", series, series.column("arrivals", ""));
    const notServed = this.#sum(
      "missed",
      series,
      ["late", "refused", "failed"].map((of) => series.column(of, "")),
    );
    const lines: PlotLine[] = [
      { label: "arrived", color: 1, isArea: true, values: rate },
      { label: "not in time", color: 5, values: this.#scaled("missed", series, notServed) },
    ];
    const marks = changes
      .filter(({ cause }) => cause !== "heartbeat")
      .map(({ id, atUnixMs }) => ({ atS: atUnixMs / 1_000, label: String(id) }));
    const isEmpty = !hasValue(rate);
    const why = state === "starting" ? "The daemon is still measuring its targets." : noTraffic;
    this.#arrivals.draw(series.xs, lines, { marks, why: isEmpty ? why : undefined, nowUnixMs, fromUnixMs });
    numbers("arrivals", series, lines, (value) => figureText(value), mean, nowUnixMs, fromUnixMs);
  }

  #drawLatency(series: SeriesBuffer, { nowUnixMs, startedUnixMs: fromUnixMs, lanes, sloMs }: WireNow): void {
    const choice = byId("lane") as HTMLSelectElement;
    const names = lanes.length > 1 ? lanes.map(({ name }) => name) : [];
    show(byId("lane-choice"), names.length > 0);
    const wanted = ["*", ...names];
    if ([...choice.options].map(({ value }) => value).join("|") !== wanted.join("|")) {
      const value = choice.options.length === 0 ? "*" : choice.value;
      choice.replaceChildren(...wanted.map((name) => element("option", { value: name }, laneName(name))));
      if (wanted.includes(value)) choice.value = value;
    }
    const lane = choice.value === "" && names.length === 0 ? "*" : choice.value;
    const bound = lane === "*" ? sloMs : (lanes.find(({ name }) => name === lane)?.sloMs ?? sloMs);
    const slo = this.#array("slo", series).fill(bound);
    const quantiles = (["p50", "p95", "p99"] as const).map((of) => series.column(of, lane));
    const lines: PlotLine[] = [
      { label: "50 %", color: 3, values: quantiles[0] as Values },
      { label: "95 %", color: 1, values: quantiles[1] as Values },
      { label: "99 %", color: 2, values: quantiles[2] as Values },
      { label: "SLO", color: 0, isBound: true, values: slo },
    ];
    const why = quantiles.some(hasValue) ? undefined : "No request was answered in this time.";
    this.#latency.draw(series.xs, lines, { why, nowUnixMs, fromUnixMs });
    numbers("latency", series, lines, duration, most, nowUnixMs, fromUnixMs);
  }

  #drawQueue(series: SeriesBuffer, { nowUnixMs, startedUnixMs: fromUnixMs, lanes }: WireNow): void {
    const names = lanes.map(({ name }) => name).filter((name) => series.names("queue").includes(name));
    const lines = this.#top("queue", series, names, (name) => series.column("queue", name)).map(
      ({ name, color, values }): PlotLine => ({
        label: lanes.length === 1 ? "rows that wait" : laneName(name),
        color,
        values,
      }),
    );
    const why = lines.length === 0 ? noTraffic : undefined;
    this.#queue.draw(series.xs, lines, { why, nowUnixMs, fromUnixMs });
    numbers("queue", series, lines, figureText, most, nowUnixMs, fromUnixMs);
  }

  /** A stack: each ground reaches from its own line down to zero, and the lowest is drawn last. */
  #drawWhere(series: SeriesBuffer, { nowUnixMs, startedUnixMs: fromUnixMs, targets }: WireNow): void {
    const known = series.names("answered");
    const listed = targets.map(({ name }) => name).filter((name) => known.includes(name));
    const names = [
      ...listed,
      ...known.filter((name) => !listed.includes(name) && hasValue(series.column("answered", name))),
    ];
    const top = this.#top("answered", series, names, (name) =>
      this.#scaled(`answered ${name}`, series, series.column("answered", name)),
    );
    let below: Values | undefined;
    const lines = top.map(({ name, color, values }): PlotLine => {
      const stack = this.#array(`stack ${name}`, series);
      for (let at = 0; at < stack.length; at++) {
        const own = values[at] ?? null;
        const under = below?.[at] ?? null;
        stack[at] = own === null && under === null ? null : (own ?? 0) + (under ?? 0);
      }
      below = stack;
      return { label: name, color, isArea: true, isStacked: true, values: stack, shown: values };
    });
    const why = lines.some(({ values }) => hasValue(values))
      ? undefined
      : "No request was answered in this time.";
    this.#where.draw(series.xs, lines.toReversed(), { why, nowUnixMs, fromUnixMs });
    numbers(
      "where",
      series,
      lines.map(({ label, color, values, shown = values }) => ({ label, color, values: shown })),
      figureText,
      mean,
      nowUnixMs,
      fromUnixMs,
    );
  }

  #drawMoney(series: SeriesBuffer, { nowUnixMs, startedUnixMs: fromUnixMs, money: spent }: WireNow): void {
    this.#currency = spent.currency;
    const spanMs = series.stepMs > 1_000 ? moneySpanMs.coarse : moneySpanMs.fine;
    const bins = Math.round(spanMs / series.stepMs);
    const perHour = 3_600_000 / series.stepMs;
    const [cost, alone] = [this.#array("cost", series), this.#array("alone", series)];
    trailingMean(series.column("cost", ""), bins, perHour, cost);
    trailingMean(series.column("alone", ""), bins, perHour, alone);
    const lines: PlotLine[] = [{ label: "spent", color: 1, isArea: true, values: cost }];
    if (hasValue(alone)) lines.push({ label: "functions alone", color: 2, isDashed: true, values: alone });
    const { limit } = spent.hour;
    if (limit !== null)
      lines.push({ label: "cap", color: 0, isBound: true, values: this.#array("cap", series).fill(limit) });
    const why = spent.hasFunctions
      ? hasValue(cost) || hasValue(alone)
        ? undefined
        : noTraffic
      : "There are no functions, so nothing is billed.";
    this.#money.draw(series.xs, lines, { why, nowUnixMs, fromUnixMs });
    numbers("money", series, lines, (value) => money(value, spent.currency), mean, nowUnixMs, fromUnixMs);
  }

  /** The largest by what they have in all, and the rest as one; each with its colour. */
  #top(
    of: string,
    series: SeriesBuffer,
    names: readonly string[],
    valuesOf: (name: string) => Values,
  ): { readonly name: string; readonly color: number; readonly values: Values }[] {
    const all = names.map((name) => ({ name, values: valuesOf(name) }));
    if (all.length <= mostLines)
      return all.map(({ name, values }) => ({ name, values, color: this.#colorOf(`${of} ${name}`, of) }));
    const bySize = all.toSorted((a, b) => total(b.values) - total(a.values));
    const shown = new Set(bySize.slice(0, mostLines - 1).map(({ name }) => name));
    const rest = all.filter(({ name }) => !shown.has(name));
    const together = this.#sum(
      `${of} rest`,
      series,
      rest.map(({ values }) => values),
    );
    return [
      ...all
        .filter(({ name }) => shown.has(name))
        .map(({ name, values }) => ({ name, values, color: this.#colorOf(`${of} ${name}`, of) })),
      { name: `${rest.length} others`, values: together, color: 0 },
    ];
  }

  #colorOf(key: string, of: string): number {
    let color = this.#colors.get(key);
    if (color === undefined) {
      const taken = [...this.#colors.keys()].filter((each) => each.startsWith(`${of} `)).length;
      if (taken > 200) this.#colors.clear();
      this.#colors.set(key, (color = (taken % 8) + 1));
    }
    return color;
  }

  /** As a rate a second. */
  #scaled(name: string, series: SeriesBuffer, values: Values): (number | null)[] {
    const scaled = this.#array(`scaled ${name}`, series);
    const factor = 1_000 / series.stepMs;
    for (let at = 0; at < scaled.length; at++) {
      const value = values[at] ?? null;
      scaled[at] = value === null ? null : value * factor;
    }
    return scaled;
  }

  #sum(name: string, series: SeriesBuffer, each: readonly Values[]): (number | null)[] {
    const sum = this.#array(`sum ${name}`, series).fill(null);
    for (const values of each) {
      for (let at = 0; at < sum.length; at++) {
        const value = values[at] ?? null;
        if (value !== null) sum[at] = (sum[at] ?? 0) + value;
      }
    }
    return sum;
  }

  /** An array that is used again at the next drawing. */
  #array(name: string, { length }: SeriesBuffer): (number | null)[] {
    const key = `${name} ${length}`;
    let array = this.#scratch.get(key);
    if (array === undefined) {
      if (this.#scratch.size > 500) this.#scratch.clear();
      this.#scratch.set(key, (array = Array.from({ length }, () => null)));
    }
    return array;
  }
}

const noTraffic = "No requests in this time. They come by POST /v2/models/NAME/infer.";

function laneName(name: string): string {
  return name === "*" ? "all" : name === "" ? "no lane" : name;
}

function hasValue(values: Values): boolean {
  return values.some((value) => value !== null && value !== 0);
}

function total(values: Values): number {
  let sum = 0;
  for (const value of values) sum += value ?? 0;
  return sum;
}

function mean(values: Values): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function most(values: Values): number | null {
  return values.reduce<number | null>((a, b) => (b !== null && (a === null || b > a) ? b : a), null);
}

function shortDuration(ms: number): string {
  return ms === 0 ? "0" : duration(ms);
}

/** The numbers of a picture, where its table is open: a row for each tenth of the time. */
function numbers(
  id: string,
  series: SeriesBuffer,
  lines: readonly PlotLine[],
  write: (value: number | null) => string,
  together: (values: Values) => number | null,
  nowUnixMs: number,
  fromUnixMs: number,
): void {
  if (byId(`${id}-table`).closest("details")?.open !== true) return;
  const shown = Math.min(series.length, Math.ceil((nowUnixMs - fromUnixMs) / series.stepMs));
  const bins = Math.max(1, Math.ceil(shown / tableRows));
  const rows = Array.from({ length: Math.ceil(shown / bins) }, (_, row) => {
    const from = Math.max(0, series.length - (row + 1) * bins);
    const cells = lines.map(({ values }) => ({ text: write(together(values.slice(from, from + bins))) }));
    return [{ text: moment((series.xs[from] as number) * 1_000, nowUnixMs) }, ...cells];
  });
  const what = together === most ? "Highest from" : "Mean from";
  const columns = [{ title: what }, ...lines.map(({ label }) => ({ title: label, isNumber: true }))];
  fillTable(`${id}-table`, columns, rows, `Each row is ${duration(bins * series.stepMs)}, the newest first`);
}
