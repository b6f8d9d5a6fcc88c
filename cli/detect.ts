/** `spillway detect`: finds the change points of a recorded series. */
import { RateDetector } from "../algorithms/changepoint/change-detectors.ts";
import type { Alarm } from "../algorithms/changepoint/shift-detector.ts";
import type { DetectOptions } from "../tools/detect/options.ts";
import { readTextFile } from "../base/files.ts";
import { UsageError } from "../base/usage-error.ts";
import { mapSegmentation } from "../tools/detect/map-segmentation.ts";
import { parseSeries } from "../tools/detect/series.ts";

/** Indices count the steps from 0. */
interface Detection {
  /** First steps of the new segments, ascending, without 0. */
  readonly changepoints: readonly number[];
  readonly alarms: readonly Alarm[];
}

export async function runDetect(options: DetectOptions): Promise<number> {
  const detect = detectorOf(options);
  const series = parseSeries(
    readTextFile(options.series),
    options.series,
    options.model === "counts" ? 0 : undefined,
  );
  const startedNs = process.hrtime.bigint();
  const detection = detect(series);
  const nsPerStep = Number(process.hrtime.bigint() - startedNs) / series.length;
  const report = { ...detection, steps: series.length, nsPerStep };
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : formatReport(report));
  return 0;
}

function detectorOf({ model, readout, hazard }: DetectOptions): (series: readonly number[]) => Detection {
  const own = model === "gaussian" ? "map" : "online";
  if (readout !== undefined && readout !== own)
    throw new UsageError(`--readout is "${readout}"; allowed with --model ${model}: ${own}`);
  return model === "gaussian"
    ? (series) => ({ changepoints: mapSegmentation(series, hazard), alarms: [] })
    : (series) => watch(series, new RateDetector(hazard === undefined ? {} : { hazard }));
}

function watch(counts: readonly number[], detector: RateDetector): Detection {
  const alarms = counts.flatMap((count) => detector.observe(count) ?? []);
  const starts = new Set(alarms.map(({ startIndex }) => startIndex).filter((start) => start > 0));
  return { changepoints: [...starts].sort((a, b) => a - b), alarms };
}

function formatReport(report: Detection & { readonly steps: number; readonly nsPerStep: number }): string {
  const { changepoints, alarms, steps, nsPerStep } = report;
  const lines =
    alarms.length > 0
      ? alarms.map(
          ({ atIndex, startIndex, probability }) =>
            `alarm at step ${atIndex}: changed at step ${startIndex}, probability ${probability.toFixed(3)}`,
        )
      : changepoints.map((start) => `changed at step ${start}`);
  const us = (nsPerStep / 1_000).toFixed(1);
  return `${[...lines, `${changepoints.length} changes in ${steps} steps, ${us} µs a step`].join("\n")}\n`;
}
