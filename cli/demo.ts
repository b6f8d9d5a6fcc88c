/** Wires the demo: starts edge, functions and queue, sends the requests, stops all, and reports. */
import { openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { seededRandom } from "../algorithms/random.ts";
import { fitTrace, parseTrace } from "../algorithms/trace.ts";
import { type Outcome, sendAll } from "../demo/load.ts";
import type { DemoOptions } from "../demo/options.ts";
import { type RunningProgram, startProgram } from "../demo/programs.ts";
import { createProgress } from "../demo/progress.ts";
import { readDictionary } from "../demo/read-line.ts";
import { askAbout, type Question } from "../demo/questions.ts";
import { formatReport, makeReport } from "../demo/report.ts";
import { createLines } from "../demo/text-lines.ts";
import { embeddedDictionaryPath } from "../edge/repository.ts";

const executable = fileURLToPath(new URL("../cli.js", import.meta.url));
/** The trace in `fixtures/`: how long it is, and how many requests a second it has while it is calm. */
const trace = { url: new URL("../../fixtures/traces/demo.csv", import.meta.url), seconds: 60, ratePerS: 10 };
/** Function processes that a small machine takes beside everything else. */
const maxInstances = 2;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

interface Bill {
  readonly currency: string;
  readonly total: { readonly cost: number };
}

export async function runDemo(options: DemoOptions): Promise<number> {
  const stop = stopOnSignal();
  const logPath = join(tmpdir(), `spillway-demo-${process.pid}.log`);
  const logFile = openSync(logPath, "w");
  const started: RunningProgram[] = [];
  const start = async (...command: [name: string, ...flags: string[]]): Promise<RunningProgram> => {
    const program = await startProgram(executable, command, logFile);
    started.unshift(program);
    return program;
  };
  const outcomes: Outcome[] = [];
  let bill: Bill = { currency: "", total: { cost: 0 } };
  const momentsS = arrivals(options);
  const questions = await prepare(options, momentsS.length);
  say(`starting edge, functions and queue; they log to ${logPath}`);
  try {
    const edge = await start("edge");
    const functions = await start("functions", "--max-instances", String(maxInstances));
    const queue = await start("vqueue", ...vqueueFlags(options, edge, functions));
    say(`sending ${questions.length} requests in ${options.seconds} s to ${queue.url}`);
    const progress = createProgress(process.stderr);
    await sendAll({ url: queue.url, model: options.model, questions, momentsS }, stop, (outcome) => {
      outcomes.push(outcome);
      progress.show(progressText(outcomes, questions.length, options.slo * 1_000));
    });
    progress.end();
    bill = (await (await request(`${functions.url}/admin/bill`)).body.json()) as Bill;
  } catch (error) {
    say(`${(error as Error).message}; the log is ${logPath}`);
    return 1;
  } finally {
    // The queue first: what it still holds needs its targets.
    for (const program of started) {
      const status = await program.stop();
      if (status !== 0) say(`${program.name} ended with ${status}; the log is ${logPath}`);
    }
  }
  const report = makeReport(outcomes, options.slo * 1_000, {
    cost: bill.total.cost,
    currency: bill.currency,
  });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : formatReport(report, options.slo));
  return report.wrong + report.lost === 0 ? 0 : 1;
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

function vqueueFlags(options: DemoOptions, edge: RunningProgram, functions: RunningProgram): string[] {
  const { slo, record } = options;
  const flags = ["--slo", String(slo), "--edge", edge.url, "--fc-endpoint", functions.url];
  flags.push("--serverless-calls", String(maxInstances));
  if (record !== undefined) flags.push("--record", record);
  return flags;
}

function progressText(outcomes: readonly Outcome[], total: number, sloMs: number): string {
  const answered = outcomes.filter((outcome) => outcome.kind === "answered");
  const wrong = answered.filter(({ isRight }) => !isRight).length;
  const inSlo = answered.filter(({ latencyMs }) => latencyMs <= sloMs).length;
  const toEdge = answered.filter(({ target }) => target === "edge").length;
  return (
    `${outcomes.length} of ${total} answered, ${inSlo} in SLO, ${toEdge} by the edge,` +
    ` ${wrong} wrong, ${outcomes.length - answered.length} lost`
  );
}

/** The first SIGINT or SIGTERM ends the sending; a second one ends the demo, and its programs end with it. */
function stopOnSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write("\nstopping: waiting for the answers that are under way\n");
    stop.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return stop.signal;
}
