/** Colours, sizes and axes that all charts of a report share. */
import type { Fault } from "../world/scenario.ts";

/** Width of every chart, in pixels. */
export const chartWidth = 1_080;

/** Colours of text and of lines; the page replaces them by those of the reader's light or dark scheme. */
export const ink = "#24292f";
export const faint = "#d0d7de";
/** Colour of the SLO and of faults; the page replaces it, too. */
export const alarm = "#cf222e";

/** Distinct for colour-blind readers, too, on light and on dark ground. */
const palette = ["#1f83c6", "#e08a00", "#0f9d76", "#c44c9b", "#d1591a", "#8a6fd1"];
const dashes = ["solid", "dashed", "dotted"] as const;

export interface LineStyle {
  readonly color: string;
  readonly type: (typeof dashes)[number] | number[];
  readonly width: number;
}

/** Colour and dash of the n-th series of a chart, different for the first 18. */
export function styleOf(index: number): LineStyle {
  const round = Math.floor(index / palette.length) % dashes.length;
  const type = dashes[round] as (typeof dashes)[number];
  return { color: palette[index % palette.length] as string, type, width: 1.8 };
}

/** The rest, where only some are in colour: greys that are told apart by their dashes. */
const greys = ["#8a8f96", "#71767d"];
const greyDashes = [[], [6, 3], [2, 2], [10, 3, 2, 3], [1, 4], [10, 2], [4, 2, 1, 2, 1, 2]];

/**
 * The styles of the lines of several policies. Nobody can tell ten colours apart, so where there are more than six policies
 * the best three are in colour, and the others in grey.
 *
 * @param order the policies, the best first
 */
export function stylesOf(policies: readonly string[], order: readonly string[]): Map<string, LineStyle> {
  if (policies.length <= palette.length)
    return new Map(policies.map((policy, index) => [policy, styleOf(index)]));
  const best = order.slice(0, bestInColour);
  const rest = policies.filter((policy) => !best.includes(policy));
  return new Map([
    ...best.map((policy, index) => [policy, { ...styleOf(index), width: 2.4 }] as const),
    ...rest.map((policy, index): readonly [string, LineStyle] => {
      const dash = greyDashes[index % greyDashes.length] as number[];
      const color = greys[Math.floor(index / greyDashes.length) % greys.length] as string;
      return [policy, { color, type: dash.length === 0 ? "solid" : dash, width: 1.2 }];
    }),
  ]);
}

/** Policies in colour where there are too many for all. */
export const bestInColour = 3;

/** About the width of a text in a chart, in pixels. */
export function textWidth(text: string): number {
  return 6.8 * text.length;
}

export const textStyle = { color: ink, fontFamily: "system-ui, sans-serif", fontSize: 12 };

/** An axis with its name in the middle beside its labels; `own` adds to the common settings. */
export function axis<const T extends object>(name: string, nameGap: number, own: T) {
  return {
    name,
    nameLocation: "middle" as const,
    nameGap,
    nameTextStyle: textStyle,
    axisLabel: { color: ink, hideOverlap: true, formatter: plain },
    axisLine: { show: true, lineStyle: { color: faint } },
    axisTick: { lineStyle: { color: faint } },
    splitLine: { lineStyle: { color: faint, opacity: 0.6 } },
    ...own,
  };
}

/** A legend of lines, or of other marks with their symbols. */
export function legend(names: readonly string[], marks: "lines" | "symbols" = "lines") {
  const data = [...names];
  const place = { top: 8, right: 24, itemGap: 22, textStyle, data };
  return marks === "lines" ? { ...place, itemStyle: { opacity: 0 } } : place;
}

/** How much lower the drawing begins when the names take more than one line, in pixels. */
export function legendOverhang(names: readonly string[]): number {
  const [ofLetter, ofMark, lineHeight] = [7, 58, 36];
  const length = names.reduce((sum, name) => sum + ofMark + ofLetter * name.length, 0);
  return (Math.ceil(length / (chartWidth - 80)) - 1) * lineHeight;
}

/** A tick's value without the last digits of binary fractions. */
function plain(value: number | string): string {
  if (typeof value === "string" || value === 0) return String(value);
  const rounded = Number(value.toPrecision(6));
  if (Math.abs(rounded) < 1e-4) return rounded.toExponential();
  return rounded.toLocaleString("en", { maximumSignificantDigits: 6 });
}

/** A line without symbols in a panel of a chart; `own` adds to the common settings. */
export function lineSeries<const T extends object>(name: string, panel: number, color: string, own: T) {
  return { name, type: "line" as const, symbol: "none", xAxisIndex: panel, yAxisIndex: panel, color, ...own };
}

/** Labels of an axis that ends where the data end, so not at a round number. */
export const noEndLabels = {
  color: ink,
  hideOverlap: true,
  formatter: plain,
  showMinLabel: false,
  showMaxLabel: false,
};

/** The unit in which times within the span are easily read. */
export function timeUnit(spanMs: number): { readonly name: string; readonly ms: number } {
  if (spanMs <= 600_000) return { name: "s", ms: 1_000 };
  return spanMs <= 4 * 3_600_000 ? { name: "min", ms: 60_000 } : { name: "h", ms: 3_600_000 };
}

/** From the replay's start to its end. */
export function timeAxis<const T extends object>(spanMs: number, own: T) {
  const unit = timeUnit(spanMs);
  return axis(`time since the replay's start, ${unit.name}`, 28, {
    type: "value",
    min: 0,
    max: spanMs / unit.ms,
    axisLabel: { ...noEndLabels, showMinLabel: true },
    ...own,
  });
}

/** A band for each fault of the scenario, behind a series over time. */
export function faultBands(faults: readonly Fault[], spanMs: number) {
  const unit = timeUnit(spanMs);
  const seen = faults.filter(({ fromMs, toMs }) => toMs > 0 && fromMs < spanMs);
  return {
    silent: true,
    itemStyle: { color: alarm, opacity: 0.1 },
    label: { color: ink, fontSize: 10, position: "insideTop" as const },
    data: seen.map((fault): [object, object] => [
      { name: fault.kind, xAxis: Math.max(0, fault.fromMs) / unit.ms },
      { xAxis: Math.min(fault.toMs, spanMs) / unit.ms },
    ]),
  };
}

/** Place of a panel, in pixels. */
export interface Panel {
  readonly grid: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
  readonly isLeft: boolean;
  /** True when no other panel is below it. */
  readonly isLowest: boolean;
}

/** Panels of a height in two columns (one for a single panel) below a legend of the names, and their total height. */
export function panels(
  count: number,
  height: number,
  names: readonly string[],
): { readonly panels: Panel[]; readonly height: number } {
  const columns = count === 1 ? 1 : 2;
  const [left, right, gap, between, bottom] = [64, 24, 56, 58, 52];
  const top = 64 + legendOverhang(names);
  const width = (chartWidth - left - right - gap * (columns - 1)) / columns;
  const rows = Math.ceil(count / columns);
  return {
    panels: Array.from({ length: count }, (_, index) => {
      const column = index % columns;
      const row = Math.floor(index / columns);
      const place = { left: left + column * (width + gap), top: top + row * (height + between) };
      return { grid: { ...place, width, height }, isLeft: column === 0, isLowest: index + columns >= count };
    }),
    height: top + rows * (height + between) - between + bottom,
  };
}

/** The name of a panel, above it. */
export function panelTitle({ grid: { left, top } }: Panel, text: string) {
  return { text, left, top: top - 24, padding: 0, textStyle: { ...textStyle, fontWeight: "bold" as const } };
}
