/** `spillway loadgen`: sends bodies that suit the model on a schedule or from callers, and prints what came of it. */
import { writeTextFile } from "../base/files.ts";
import { edgeAuth } from "../client/transports/http-auth.ts";
import { createProgress, type Progress, progressBar, stopOnSignal } from "../base/program/progress.ts";
import { UsageError } from "../base/usage-error.ts";
import { textFile } from "../replay/files.ts";
import { formatCeiling, measureCeiling } from "../tools/load/ceiling.ts";
import { generate, type OfferedLoad } from "../tools/load/generate.ts";
import type { LoadFigures } from "../tools/load/load-figures.ts";
import { formatLoadResult, histogramJson, histogramText, loadResult } from "../tools/load/load-result.ts";
import type { LoadgenOptions } from "../tools/load/options.ts";
import { loadBodies, plainBodies } from "../tools/load/payload.ts";
import { constantSchedule, poissonSchedule, traceSchedule } from "../tools/load/schedule.ts";
import { createV2Caller } from "../tools/load/v2-caller.ts";

/** Length of a run when no flag says it, in seconds. */
const defaultSeconds = 10;
/** Connections of an open loop; further requests wait inside the generator, which counts as latency. */
const openConnections = 1_024;
/** Callers that measure the generator's limits when no flag says how many. */
const ceilingConcurrency = 64;
const ceilingSeconds = 5;

/** Exit status 0 when anything was answered, else 1. Throws UsageError for flags that contradict each other. */
export async function runLoadgen(options: LoadgenOptions): Promise<number> {
  const stop = stopOnSignal("waiting for the answers that are under way");
  return options.calibrate ? calibrate(options, stop) : load(options, stop);
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
  if (url === undefined) throw new UsageError("--url is missing: the V2 server");
  if (model === undefined) throw new UsageError("--model is missing: name of the model");
  const planned = loadOf(options);
  const bodies = await loadBodies({ ...options, url, model });
  if (histogram !== undefined) writeTextFile(histogram, "", `--histogram: ${histogram}`);
  const caller = createV2Caller({
    url,
    model,
    connections: concurrency,
    auth: edgeAuth(options.auth, "--auth", process.env),
  });
  const first = await caller.send(bodies.next(1));
  if (first.kind === "failed") throw new UsageError(`${url} does not answer for ${model}: ${first.why}`);
  process.stderr.write(`sending to ${url}\n`);
  const progress = createProgress(process.stderr);
  const onEnd = showProgress(options, progress);
  const figures = await generate({ load: planned, caller, bodies, stop, onEnd });
  progress.end();
  await caller.close();
  const result = loadResult(figures, quantile, stop.aborted);
  if (histogram !== undefined) {
    const text = (histogram.endsWith(".json") ? histogramJson : histogramText)(figures.latency);
    writeTextFile(histogram, text, `--histogram: ${histogram}`);
  }
  const printed = { url, model, load: planned.kind, ...result };
  process.stdout.write(options.json ? `${JSON.stringify(printed)}\n` : formatLoadResult(result));
  return result.answered > 0 ? 0 : 1;
}

function loadOf(options: LoadgenOptions): OfferedLoad {
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

/** A bar if the run's end is known, and the present figures. */
function showProgress(
  { requests, seconds, trace }: LoadgenOptions,
  progress: Progress,
): (figures: LoadFigures) => void {
  const lastS = seconds ?? (requests === undefined && trace === undefined ? defaultSeconds : Infinity);
  return ({ answered, failed, underWay, latency, durationS }) =>
    progress.show(() => {
      const part = Math.max((answered + failed) / (requests ?? Infinity), durationS / lastS);
      const bar = part > 0 ? `${progressBar(part)}  ` : "";
      const p99 = (latency.quantile(0.99) ?? 0).toFixed(1);
      return `${bar}${answered} answered, ${failed} failed, ${underWay} under way, p99 ${p99} ms`;
    });
}
