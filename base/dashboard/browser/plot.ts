/** A picture over time on a canvas, with a list of its lines beside it, whose figures follow the pointer. */
import { byId, element, setAttribute, setText, show } from "./dom.ts";
import { moment } from "./text.ts";
import uPlot from "./uplot.js";

export interface PlotLine {
  readonly label: string;
  /** Number of its colour, from 1; 0: grey. */
  readonly color: number;
  /** Whether the ground below it is filled. */
  readonly isArea?: boolean;
  /** Whether that ground covers those of the lines before. */
  readonly isStacked?: boolean;
  readonly isDashed?: boolean;
  /** Whether it is a bound, in the colour of alarms. */
  readonly isBound?: boolean;
  readonly values: readonly (number | null)[];
  /** What the list shows, where that is not the value drawn, as in a stack. */
  readonly shown?: readonly (number | null)[];
}

export interface PlotMark {
  readonly atS: number;
  readonly label: string;
}

export interface PlotState {
  readonly marks?: readonly PlotMark[];
  /** Why there is nothing to draw; undefined: there is. */
  readonly why?: string | undefined;
  readonly nowUnixMs: number;
  /** When the program began to count: a picture does not begin before. */
  readonly fromUnixMs: number;
}

export interface PlotOptions {
  /** Before the ids of the page's elements. */
  readonly id: string;
  readonly figure: (value: number | null) => string;
  /** Of the vertical axis; short. */
  readonly tick: (value: number) => string;
}

const height = 190;
const leastSpanS = 60;

export class Plot {
  readonly #options: PlotOptions;
  readonly #plot: HTMLElement;
  readonly #legend: HTMLElement;
  readonly #empty: HTMLElement;
  #chart: uPlot | undefined;
  #lines: readonly PlotLine[] = [];
  #marks: readonly PlotMark[] = [];
  #made = "";
  #nowUnixMs = 0;
  #fromS = 0;

  constructor(options: PlotOptions) {
    this.#options = options;
    this.#plot = byId(`${options.id}-plot`);
    this.#legend = byId(`${options.id}-legend`);
    this.#empty = byId(`${options.id}-empty`);
    new ResizeObserver(() => this.#fit()).observe(this.#plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#drop());
  }

  draw(
    xs: readonly number[],
    lines: readonly PlotLine[],
    { marks = [], why, nowUnixMs, fromUnixMs }: PlotState,
  ): void {
    this.#nowUnixMs = nowUnixMs;
    this.#fromS = fromUnixMs / 1_000;
    show(this.#empty, why !== undefined);
    show(this.#plot, why === undefined);
    show(this.#legend, why === undefined);
    if (why !== undefined) return setText(this.#empty, why);
    this.#lines = lines;
    this.#marks = marks;
    const made = lines
      .map(({ label, color, isArea, isDashed }) => `${label}|${color}|${isArea}|${isDashed}`)
      .join("\n");
    const data = [xs, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
    if (this.#chart === undefined || this.#made !== made) {
      this.#drop();
      this.#made = made;
      this.#makeLegend();
      this.#chart = new uPlot(this.#uplotOptions(), data, this.#plot);
    } else this.#chart.setData(data);
    this.#tell(this.#chart.cursor.idx ?? xs.length - 1);
    this.#describe();
  }

  #drop(): void {
    this.#chart?.destroy();
    this.#chart = undefined;
  }

  #fit(): void {
    const width = this.#plot.clientWidth;
    if (this.#chart !== undefined && width > 0 && this.#chart.width !== width)
      this.#chart.setSize({ width, height });
  }

  #makeLegend(): void {
    this.#legend.replaceChildren(
      ...this.#lines.map(({ label, color, isDashed, isBound }) => {
        const kind = isBound === true ? "bound" : `color${color}`;
        const mark = element("i", {
          class: `mark ${kind}${isDashed === true || isBound === true ? " dashed" : ""}`,
          "aria-hidden": "true",
        });
        return element("li", {}, mark, element("span", { class: "label" }, label), " ", element("b"));
      }),
    );
  }

  /** The figures of one moment. */
  #tell(index: number): void {
    for (const [at, { values, shown = values }] of this.#lines.entries()) {
      const figure = this.#legend.children[at]?.querySelector("b");
      // The newest bin of some lines comes a little later.
      if (figure) setText(figure, this.#options.figure(shown[index] ?? shown[index - 1] ?? null));
    }
  }

  /** For whoever does not see the picture. */
  #describe(): void {
    const parts = this.#lines.map(({ label, values, shown = values }) => {
      const most = shown.reduce<number | null>((a, b) => (b !== null && (a === null || b > a) ? b : a), null);
      return `${label}: ${this.#options.figure(shown.at(-1) ?? shown.at(-2) ?? null)} now, ${this.#options.figure(most)} at most`;
    });
    setAttribute(this.#plot, "aria-description", parts.join("; "));
  }

  #uplotOptions(): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: color("--quiet"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    return {
      width: Math.max(200, this.#plot.clientWidth),
      height,
      legend: { show: false },
      padding: [14, 26, 0, 0],
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: {
        // At least a minute, so that the first seconds are not drawn as wide as the page.
        x: { range: (_, least, most) => [Math.max(least, Math.min(this.#fromS, most - leastSpanS)), most] },
        y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          space: 70,
          values: (_, moments) => moments.map((s) => moment(s * 1_000, this.#nowUnixMs).replace(/:00$/, "")),
        },
        {
          ...axis,
          size: 52,
          space: 34,
          values: (_, values) => values.map((value) => this.#options.tick(value)),
        },
      ],
      series: [
        {},
        ...this.#lines.map(({ label, color: number, isArea, isStacked, isDashed, isBound }): uPlot.Series => {
          const stroke = isBound === true ? color("--bad") : color(number === 0 ? "--quiet" : `--c${number}`);
          return {
            label,
            stroke,
            width: isArea === true ? 1 : 1.6,
            points: { show: false },
            ...((isDashed === true || isBound === true) && { dash: [5, 4] }),
            ...(isArea === true && { fill: `${stroke}${isStacked === true ? "" : "40"}` }),
          };
        }),
      ],
      hooks: {
        setCursor: [(chart) => this.#tell(chart.cursor.idx ?? chart.data[0].length - 1)],
        draw: [(chart) => drawMarks(chart, this.#marks, color("--mark"))],
      },
    };
  }
}

/** A line down from each mark's name; names that would cover others are left out. */
function drawMarks(chart: uPlot, marks: readonly PlotMark[], color: string): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.fillStyle = color;
  ctx.lineWidth = scale;
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  let free = Infinity;
  for (const { atS, label } of marks.toReversed()) {
    const x = chart.valToPos(atS, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.setLineDash([2 * scale, 3 * scale]);
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(label).width;
    if (x + width / 2 > free) continue;
    ctx.fillText(label, x, bbox.top - 3 * scale);
    free = x - width / 2 - 3 * scale;
  }
  ctx.restore();
}
