/** Wires the load generator: bodies that suit the model, a schedule or callers, the run, and what it came to. */
import { writeFileSync } from "node:fs";
import { createProgress, type Progress, progressBar, stopOnSignal } from "../base/program/progress.ts";
import { formatCeiling, measureCeiling } from "../tools/load/ceiling.ts";
import { createExchange } from "../tools/load/exchange.ts";
import { generate, type Load } from "../tools/load/generate.ts";
import { histogramJson, histogramText } from "../tools/load/histogram-text.ts";
import type { LoadFigures } from "../tools/load/load-figures.ts";
import { formatLoadResult, loadResult } from "../tools/load/load-result.ts";
import type { LoadgenOptions } from "../tools/load/options.ts";
import { constantSchedule, poissonSchedule, traceSchedule } from "../tools/load/schedule.ts";
import { whyUnwritable } from "../base/error-text.ts";
import { textFile } from "../replay/files.ts";
import { InputError } from "../base/input-error.ts";
import { loadBodies, plainBodies } from "../tools/load/payload.ts";
import { UsageError } from "../base/usage-error.ts";

/** How long an open or closed loop lasts when no flag says it, in seconds. */
const defaultSeconds = 10;
/** Connections of an open loop; requests beyond them wait inside the generator, and that counts. */
const openConnections = 1_024;
/** Callers whose throughput is the ceiling, where no flag says how many. */
const ceilingConcurrency = 64;
const ceilingSeconds = 5;

/** Exit status 0 when anything was answered, else 1. Throws UsageError for flags that contradict each other. */
export async function runLoadgen(options: LoadgenOptions): Promise<number> {
  const stop = stopOnSignal("waiting for the answers that are under way");
  try {
    return options.calibrate ? await calibrate(options, stop) : await load(options, stop);
  } catch (error) {
    throw error instanceof InputError ? new UsageError(error.message) : error;
  }
}

async function calibrate(options: LoadgenOptions, stop: AbortSignal): Promise<number> {
  const { url, model, concurrency = ceilingConcurrency, seconds = ceilingSeconds } = options;
  const bodies =
    url === undefined || model === undefined ? plainBodies() : await loadBodies({ ...options, url, model });
  const ceiling = await measureCeiling({ bodies, concurrency, durationMs: seconds * 1_000, stop });
  process.stdout.write(options.json ? `${JSON.stringify(ceiling)}\n` : formatCeiling(ceiling));
  return 0;
}

async function load(options: LoadgenOptions, stop: AbortSignal): Promise<number> {
  const { url, model, concurrency = openConnections, quantile, histogram } = options;
  if (url === undefined) throw new UsageError("--url is missing: the V2 server that is asked");
  if (model === undefined) throw new UsageError("--model is missing: the model that is asked");
  const planned = loadOf(options);
  const bodies = await loadBodies({ ...options, url, model });
  if (histogram !== undefined) write(histogram, "");
  const exchange = createExchange({ url, model, connections: concurrency });
  const first = await exchange.send(bodies.next(1));
  if (first.kind === "failed") throw new UsageError(`${url} does not answer for ${model}: ${first.why}`);
  process.stderr.write(`sending to ${url}\n`);
  const progress = createProgress(process.stderr);
  const showing = showProgress(options, progress);
  const figures = await generate({ load: planned, exchange, bodies, stop, onEnd: showing });
  progress.end();
  await exchange.close();
  const result = loadResult(figures, quantile, stop.aborted);
  if (histogram !== undefined) {
    write(histogram, (histogram.endsWith(".json") ? histogramJson : histogramText)(figures.latency));
  }
  const printed = { url, model, load: planned.kind, ...result };
  process.stdout.write(options.json ? `${JSON.stringify(printed)}\n` : formatLoadResult(result));
  return result.answered > 0 ? 0 : 1;
}

function loadOf(options: LoadgenOptions): Load {
  const { rate, trace, concurrency, arrivals, seed, requests = Infinity } = options;
  const given = Object.entries({ rate, trace, concurrency }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.map(([name]) => `--${name}`).join(" and ");
    throw new UsageError(
      `${names === "" ? "no load is given" : `${names} are given`}; give one of --rate, --trace and --concurrency`,
    );
  }
  const seconds = options.seconds ?? (requests < Infinity || trace !== undefined ? Infinity : defaultSeconds);
  const end = { seconds, requests };
  if (concurrency !== undefined)
    return { kind: "closed", concurrency, requests, durationMs: seconds * 1_000 };
  if (trace !== undefined) return { kind: "open", schedule: traceSchedule(textFile(trace), seed, end) };
  const ratePerS = rate as number;
  const schedule =
    arrivals === "constant" ? constantSchedule(ratePerS, end) : poissonSchedule(ratePerS, seed, end);
  return { kind: "open", schedule };
}

/** A bar where the run's end is known, and how it goes. */
function showProgress(
  { requests, seconds, trace }: LoadgenOptions,
  progress: Progress,
): (figures: LoadFigures) => void {
  const lastS = seconds ?? (requests === undefined && trace === undefined ? defaultSeconds : Infinity);
  return (figures) =>
    progress.show(() => {
      const ended = figures.answered + figures.failed;
      const part = Math.max(ended / (requests ?? Infinity), figures.durationS / lastS);
      const bar = part > 0 ? `${progressBar(part)}  ` : "";
      const p99 = figures.latency.quantile(0.99) ?? 0;
      return `${bar}${figures.answered} answered, ${figures.failed} failed, ${figures.underWay} under way, p99 ${p99.toFixed(1)} ms`;
    });
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--histogram: ${path}: ${whyUnwritable(error)}`);
  }
}
