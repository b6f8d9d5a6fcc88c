/** The demo's run: starts edge, functions and queue, sends the requests, tells how it goes, and stops all. */
import { openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { followLines } from "./follow-lines.ts";
import { type Outcome, sendAll } from "./load.ts";
import type { DemoOptions } from "./options.ts";
import { planNews } from "./plan-news.ts";
import { type RunningProgram, startProgram } from "./programs.ts";
import { createProgress } from "../../base/program/progress.ts";
import type { Question } from "./questions.ts";

const executable = fileURLToPath(new URL("../../cli.js", import.meta.url));
/** The functions' sizes, and how many function processes a small machine takes beside everything else. */
const menu = "small=0.5x1024,large=2x4096";
const maxInstances = 4;
/** Longest time that measuring at start takes, in seconds. */
const calibrateS = 6;
/** Longest time that a call which was given up is waited for, in milliseconds. */
const longestLeftOverMs = 5_000;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

interface Bill {
  readonly currency: string;
  readonly total: { readonly cost: number };
}

export interface DemoRun {
  readonly outcomes: readonly Outcome[];
  /** What the requests cost, without the measuring at start. */
  readonly bill: { readonly cost: number; readonly currency: string };
  /** True when every program ended as it should. */
  readonly isWell: boolean;
}

/** What is to be sent when, and where that is written down. */
interface DemoLoad {
  readonly questions: readonly Question[];
  readonly momentsS: readonly number[];
  readonly logPath: string;
  readonly record: string;
  /** Ends the sending early. */
  readonly stop: AbortSignal;
}

/** Starts the programs, sends the requests, and stops the programs; undefined when something went wrong. */
export async function runPrograms(
  options: DemoOptions,
  { logPath, record, questions, momentsS, stop }: DemoLoad,
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
    const edge = await start("edge", "--threads", "1", "--load", options.model);
    // Not held to their sizes, which only some machines can do: the demo is to go the same way on all.
    const bounds = ["--max-instances", String(maxInstances), "--cgroups", "off"];
    const functions = await start("functions", "--functions", menu, ...bounds);
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

/** What the functions cost so far, once no call runs that nobody waits for any more. */
async function billOf({ url }: RunningProgram): Promise<Bill> {
  const told = async (what: string): Promise<unknown> => (await request(`${url}/admin/${what}`)).body.json();
  const untilMs = performance.now() + longestLeftOverMs;
  while (performance.now() < untilMs) {
    const instances = (await told("instances")) as readonly { readonly calls: number }[];
    if (instances.every(({ calls }) => calls === 0)) break;
    await delay(50);
  }
  return (await told("bill")) as Bill;
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
    `${answered.length} of ${total} answered, ${inSlo} in SLO, ${toEdge} by the edge,` +
    ` ${wrong} wrong, ${outcomes.length - answered.length} lost`
  );
}
