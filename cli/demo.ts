/** Wires the demo: prepares the requests, runs them, and reports, beside what other policies make of the record. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../base/random.ts";
import { fitTrace, parseTrace } from "../tools/demo/trace.ts";
import type { DemoOptions } from "../tools/demo/options.ts";
import { createProgress } from "../base/program/progress.ts";
import { readDictionary } from "../algorithms/ctc-decode.ts";
import { askAbout, type Question } from "../tools/demo/questions.ts";
import { formatReport, makeReport } from "../tools/demo/report.ts";
import { createLines } from "../tools/demo/text-lines.ts";
import { embeddedDictionaryPath } from "../edge/models/repository.ts";
import { formatComparison } from "../replay/command/summary-text.ts";
import { replayUnderEach } from "../tools/demo/demo-replay.ts";
import { runPrograms, say } from "../tools/demo/demo-run.ts";
import { stopOnSignal } from "../base/program/stop-on-signal.ts";

/** The trace in `fixtures/`: how long it is, and how many requests a second it has while it is calm. */
const trace = { url: new URL("../../fixtures/traces/demo.csv", import.meta.url), seconds: 60, ratePerS: 10 };

/** Exit status 0 when every answer came, was right, and every program ended well. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const stop = stopOnSignal("waiting for the answers that are under way");
  const folder = mkdtempSync(join(tmpdir(), "spillway-demo-"));
  const logPath = join(folder, "demo.log");
  const record = options.record ?? join(folder, "record.ndjson");
  const momentsS = arrivals(options);
  const questions = await prepare(options, momentsS.length);
  say(`starting edge, functions and queue; they log to ${logPath}`);
  const run = await runPrograms(options, { logPath, record, questions, momentsS, stop });
  if (run === undefined) return 1;
  const { outcomes, bill } = run;
  const report = makeReport(outcomes, questions.length, options.slo * 1_000, bill);
  const replayed = outcomes.length === 0 ? [] : await replayUnderEach(record, options.seed);
  if (options.json) process.stdout.write(`${JSON.stringify({ ...report, replayed })}\n`);
  else {
    process.stdout.write(formatReport(report, options.slo));
    if (replayed.length > 0) {
      process.stdout.write("\nThe same requests and latencies, replayed under each policy:\n");
      process.stdout.write(formatComparison(replayed));
    }
  }
  const isWell = run.isWell && report.wrong + report.lost === 0;
  if (isWell) rmSync(folder, { recursive: true });
  else say(`the logs are in ${folder}`);
  return isWell ? 0 : 1;
}

function arrivals({ seconds, rate, seed }: DemoOptions): number[] {
  const recorded = parseTrace(readFileSync(trace.url, "utf8"), fileURLToPath(trace.url));
  const factors = { stretch: seconds / trace.seconds, rateFactor: rate / trace.ratePerS };
  return fitTrace(recorded, factors, seededRandom(seed));
}

async function prepare({ model, seed }: DemoOptions, count: number): Promise<Question[]> {
  const dictionary = readDictionary(readFileSync(embeddedDictionaryPath(), "utf8"));
  const progress = createProgress(process.stderr);
  const questions = await askAbout(model, createLines(count, seed), dictionary, (done) => {
    progress.show(`rendering ${done} of ${count} lines of text`);
  });
  progress.end();
  return questions;
}
