/**
 * The metrics of a program for Prometheus. This alone imports prom-client, so that another client is a change of one file;
 * and it has counters and histograms for hot paths, whose cells are found once and then cost an addition.
 *
 *     const batches = new CellCounter(registry, { name: "spillway_queue_batches_total", help: "Batches", labels: ["target"] });
 *     const atEdge = batches.of("edge");
 *     atEdge.value++;
 */
import type { Metric } from "prom-client";
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import Registry from "prom-client/lib/registry.js";

export { Counter, Gauge, Histogram, Registry };

/** One line of a scrape. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Where it is not that of the metric. */
  readonly metricName?: string;
}

/** What prom-client asks a metric for. */
interface Scrape {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram";
  readonly aggregator: "sum";
  readonly values: readonly Sample[];
}

interface CellOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** A gauge whose values are those of the moment of a scrape; a series that `fill` leaves out is gone. */
export function scrapedGauge<Label extends string>(
  registry: Registry,
  { name, help, labels }: CellOptions<Label>,
  fill: (gauge: Gauge<Label>) => void,
): void {
  const gauge: Gauge<Label> = new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect: () => {
      if (labels.length > 0) gauge.reset();
      fill(gauge);
    },
  });
}

/** A counter of what somebody else counts, read at each scrape. */
export function scrapedCounter<Label extends string>(
  registry: Registry,
  { name, help, labels }: CellOptions<Label>,
  fill: (counter: Counter<Label>) => void,
): void {
  const counter: Counter<Label> = new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect: () => {
      counter.reset();
      fill(counter);
    },
  });
}

/** A number that is counted up. */
export interface CountCell {
  value: number;
}

/** The cells of a metric by the values of its labels, and how a registry reads them. */
abstract class Cells<Label extends string, C> {
  readonly name: string;
  readonly #help: string;
  readonly #labels: readonly Label[];
  readonly #cells = new Map<string, { readonly labels: Record<string, string>; readonly cell: C }>();

  constructor(registry: Registry, { name, help, labels }: CellOptions<Label>) {
    this.name = name;
    this.#help = help;
    this.#labels = labels;
    registry.registerMetric(this as unknown as Metric);
  }

  /** The cell with these values of the labels, in their order; it is 0 at first, and stays. */
  of(...values: readonly string[]): C {
    const key = values.join("\n");
    const known = this.#cells.get(key);
    if (known !== undefined) return known.cell;
    const labels = Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? ""]));
    const cell = this.make();
    this.#cells.set(key, { labels, cell });
    return cell;
  }

  /** Forgets a cell, so that scrapes have it no more; a new one begins at 0. */
  remove(...values: readonly string[]): void {
    this.#cells.delete(values.join("\n"));
  }

  /** Called by the registry at each scrape. */
  get(): Promise<Scrape> {
    const values = [...this.#cells.values()].flatMap(({ labels, cell }) => this.samples(cell, labels));
    return Promise.resolve({ name: this.name, help: this.#help, type: this.type, aggregator: "sum", values });
  }

  protected abstract readonly type: "counter" | "histogram";
  protected abstract make(): C;
  protected abstract samples(cell: C, labels: Record<string, string>): Sample[];
}

export class CellCounter<Label extends string> extends Cells<Label, CountCell> {
  protected readonly type = "counter";

  protected make(): CountCell {
    return { value: 0 };
  }

  protected samples({ value }: CountCell, labels: Record<string, string>): Sample[] {
    return [{ labels, value }];
  }
}

/** What was observed with one set of labels. */
export class HistogramCell {
  readonly #bounds: Float64Array;
  /** By bucket, the values above the bound before it; the last one has no bound. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
  }
}

export class CellHistogram<Label extends string> extends Cells<Label, HistogramCell> {
  protected readonly type = "histogram";
  readonly #bounds: Float64Array;

  /** @param options `buckets`: their upper bounds, ascending */
  constructor(registry: Registry, options: CellOptions<Label> & { readonly buckets: readonly number[] }) {
    super(registry, options);
    this.#bounds = Float64Array.from(options.buckets);
  }

  protected make(): HistogramCell {
    return new HistogramCell(this.#bounds);
  }

  protected samples({ counts, sum }: HistogramCell, labels: Record<string, string>): Sample[] {
    const samples: Sample[] = [];
    let count = 0;
    for (const [index, inBucket] of counts.entries()) {
      count += inBucket;
      const le = this.#bounds[index] ?? "+Inf";
      samples.push({ labels: { le, ...labels }, value: count, metricName: `${this.name}_bucket` });
    }
    samples.push({ labels, value: sum, metricName: `${this.name}_sum` });
    samples.push({ labels, value: count, metricName: `${this.name}_count` });
    return samples;
  }
}
