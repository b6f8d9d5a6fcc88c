/** Wires the demo: starts edge, functions and queue, sends the requests, stops all, and reports. */
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { seededRandom } from "../algorithms/random.ts";
import { fitTrace, parseTrace } from "../algorithms/trace.ts";
import { followLines } from "../demo/follow-lines.ts";
import { type Outcome, sendAll } from "../demo/load.ts";
import type { DemoOptions } from "../demo/options.ts";
import { planNews } from "../demo/plan-news.ts";
import { type RunningProgram, startProgram } from "../demo/programs.ts";
import { createProgress } from "../demo/progress.ts";
import { readDictionary } from "../demo/read-line.ts";
import { askAbout, type Question } from "../demo/questions.ts";
import { formatReport, makeReport } from "../demo/report.ts";
import { createLines } from "../demo/text-lines.ts";
import { embeddedDictionaryPath } from "../edge/repository.ts";
import { formatComparison } from "./compare.ts";
import { replayUnderEach } from "./demo-replay.ts";

const executable = fileURLToPath(new URL("../cli.js", import.meta.url));
/** The trace in `fixtures/`: how long it is, and how many requests a second it has while it is calm. */
const trace = { url: new URL("../../fixtures/traces/demo.csv", import.meta.url), seconds: 60, ratePerS: 10 };
/** The functions' sizes, and how many function processes a small machine takes beside everything else. */
const menu = "small=0.5x1024,large=2x4096";
const maxInstances = 4;
/** Longest time that measuring at start takes, in seconds. */
const calibrateS = 6;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

interface Bill {
  readonly currency: string;
  readonly total: { readonly cost: number };
}

/** Exit status 0 when every answer came, was right, and every program ended well. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const stop = stopOnSignal();
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

interface DemoRun {
  readonly outcomes: readonly Outcome[];
  /** What the requests cost, without the measuring at start. */
  readonly bill: { readonly cost: number; readonly currency: string };
  /** True when every program ended as it should. */
  readonly isWell: boolean;
}

/** Starts the programs, sends the requests, and stops the programs; undefined when something went wrong. */
async function runPrograms(
  options: DemoOptions,
  {
    logPath,
    record,
    questions,
    momentsS,
    stop,
  }: {
    readonly logPath: string;
    readonly record: string;
    readonly questions: readonly Question[];
    readonly momentsS: readonly number[];
    readonly stop: AbortSignal;
  },
): Promise<DemoRun | undefined> {
  const logFile = openSync(logPath, "w");
  const started: RunningProgram[] = [];
  const start = async (...command: [name: string, ...flags: string[]]): Promise<RunningProgram> => {
    const program = await startProgram(executable, command, logFile);
    started.unshift(program);
    return program;
  };
  const outcomes: Outcome[] = [];
  const progress = createProgress(process.stderr);
  const unfollow = followLines(logPath, (line) => {
    const news = planNews(line);
    if (news === undefined) return;
    progress.end();
    say(news);
  });
  let bill: DemoRun["bill"];
  let isWell = true;
  try {
    // One thread, so that the edge leaves something of a small machine to the others.
    const edge = await start("edge", "--threads", "1");
    const functions = await start("functions", "--functions", menu, "--max-instances", String(maxInstances));
    const queue = await start("vqueue", ...vqueueFlags(options, edge, functions, record));
    const before = await billOf(functions);
    say(`sending ${questions.length} requests in ${options.seconds} s to ${queue.url}`);
    await sendAll({ url: queue.url, model: options.model, questions, momentsS }, stop, (outcome) => {
      outcomes.push(outcome);
      progress.show(progressText(outcomes, questions.length, options.slo * 1_000));
    });
    progress.end();
    const { currency, total } = await billOf(functions);
    bill = { currency, cost: total.cost - before.total.cost };
  } catch (error) {
    say(`${(error as Error).message}; the log is ${logPath}`);
    return undefined;
  } finally {
    // The queue first: what it still holds needs its targets.
    for (const program of started) {
      const status = await program.stop();
      if (status === 0) continue;
      isWell = false;
      say(`${program.name} ended with ${status}; the log is ${logPath}`);
    }
    unfollow();
  }
  return { outcomes, bill, isWell };
}

async function billOf(functions: RunningProgram): Promise<Bill> {
  return (await (await request(`${functions.url}/admin/bill`)).body.json()) as Bill;
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

function vqueueFlags(
  { slo, model }: DemoOptions,
  edge: RunningProgram,
  functions: RunningProgram,
  record: string,
): string[] {
  const targets = ["--edge", edge.url, "--fc-endpoint", functions.url, "--functions", menu];
  const measuring = ["--models", model, "--calibrate", String(calibrateS)];
  return [
    ...targets,
    ...measuring,
    "--slo",
    String(slo),
    "--serverless-calls",
    String(maxInstances),
    "--record",
    record,
  ];
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
