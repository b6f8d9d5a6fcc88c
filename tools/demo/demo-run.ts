/** The demo's run: starts edge, functions and queue, measures, plays the acts, and stops all. */
import { openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { actsOf, arrivalsOf, edgeCapacityPerS } from "./acts.ts";
import { functionsAloneCost, readHeader } from "./demo-replay.ts";
import { edgeNames, fastestEdgePerS, demoFunctions, functionSizes, instancesPerSize } from "./device.ts";
import type { DemoOptions } from "./options.ts";
import { type DemoBill, type Played, playActs, say } from "./play-acts.ts";
import { type RunningProgram, startDemoProgram } from "./programs.ts";
import { createV2Caller } from "../load/v2-caller.ts";
import { blankRequest, drawQuestions } from "./questions.ts";
import { mostMetadataBytes, readReply } from "../../client/transports/reply-body.ts";
import { createLines } from "../../client/daemon/profile/payload/text-lines.ts";

const executable = fileURLToPath(new URL("../../cli.js", import.meta.url));
/** Longest time that measuring at start takes, in seconds: the less, the shorter the demo. */
const measuringS = (seconds: number): number => Math.min(7, 3 + Math.ceil(seconds / 6));
/** Longest time that a call which was given up is waited for, in milliseconds. */
const longestLeftOverMs = 5_000;
/** More lines are drawn than an edge at its fastest needs, by this number. */
const spareLines = 100;

export interface DemoRun extends Played {
  /** How many requests were to be sent. */
  readonly planned: number;
  /** Requests a second that the edges can take. */
  readonly edgePerS: number;
  /** What the requests cost, without the measuring at start. */
  readonly bill: DemoBill;
  /** True when every program ended as it should. */
  readonly isWell: boolean;
}

export interface DemoStage {
  /** The repository that edge and functions serve, and its model. */
  readonly models: string;
  readonly model: string;
  /** Files that the programs write. */
  readonly logPath: string;
  readonly record: string;
  /** Ends the sending early. */
  readonly stop: AbortSignal;
}

/** Undefined when something went wrong, which was said then. */
export async function runPrograms(options: DemoOptions, stage: DemoStage): Promise<DemoRun | undefined> {
  const logFile = openSync(stage.logPath, "w");
  const running = new Map<string, RunningProgram>();
  const starts: Promise<RunningProgram>[] = [];
  const start: Start = async (command, port, name = command[0]) => {
    const starting = startDemoProgram({ executable, command, logFile, ...(port && { port }) });
    starts.push(starting);
    const program = await starting;
    running.set(name, program);
    return program;
  };
  let played: Omit<DemoRun, "isWell">;
  let isWell = true;
  try {
    played = await play(options, stage, start);
  } catch (error) {
    say(`${(error as Error).message}; the log is ${stage.logPath}`);
    return undefined;
  } finally {
    // One that is still starting when another fails has to be stopped as well.
    await Promise.allSettled(starts);
    // The queue first: what it still holds needs its targets.
    for (const name of ["vqueue", ...edgeNames(options.edges), "functions"]) {
      const status = (await running.get(name)?.stop()) ?? 0;
      if (status === 0) continue;
      isWell = false;
      say(`${name} ended with ${status}; the log is ${stage.logPath}`);
    }
  }
  return { ...played, isWell };
}

type Command = readonly [name: string, ...flags: string[]];
/** Starts a program, by default on a free port, and keeps it by its name, to be stopped in the end. */
type Start = (command: Command, port?: string, name?: string) => Promise<RunningProgram>;

async function play(options: DemoOptions, stage: DemoStage, start: Start): Promise<Omit<DemoRun, "isWell">> {
  const { seconds, seed, slo, edges: count } = options;
  const names = edgeNames(count);
  const { model, models, record, stop } = stage;
  const acts = actsOf(seconds);
  const mostRequests = arrivalsOf(acts, count * fastestEdgePerS, seed).length + spareLines;
  // They are drawn while the programs start and measure.
  const drawn = drawQuestions(createLines(mostRequests, seed));
  const edgeCommand: Command = ["edge", "--models", models];
  const [functions, ...edges] = await Promise.all([
    start(functionsCommand(models)),
    ...names.map((name) => start(edgeCommand, undefined, name)),
  ]);
  const [first] = edges as [RunningProgram];
  await warmUp(functions, model);
  say(`measuring ${count === 1 ? "edge" : "edges"} and functions for ${measuringS(seconds)} s`);
  const queue = await start(queueCommand(options, stage, edges, functions));
  say(`watch it live: ${queue.url}/dashboard`);
  const header = await readHeader(record);
  const edgePerS = edgeCapacityPerS(header.policy.targets, model, slo * 1_000);
  const momentsS = arrivalsOf(acts, edgePerS, seed);
  const take = count === 1 ? "the edge takes" : `${count} edges take`;
  say(`measured: ${take} ${edgePerS.toFixed(1)} requests/s; ${momentsS.length} requests follow`);
  const questions = await drawn(momentsS.length);
  const aloneCost = await functionsAloneCost(header, model, momentsS, seed);
  const before = await settledBill(functions);
  const since = ({ cost, currency }: DemoBill): DemoBill => ({ cost: cost - before.cost, currency });
  const played = await playActs({
    acts,
    edgePerS,
    load: { url: queue.url, model, questions, momentsS },
    sloMs: slo * 1_000,
    aloneCost,
    bill: async () => since(await billOf(functions)),
    edges: names,
    killEdge: () => first.kill(),
    restartEdge: () => start(edgeCommand, new URL(first.url).port, names[0]),
    stop,
  });
  const bill = since(await settledBill(functions));
  return { ...played, planned: momentsS.length, edgePerS, bill };
}

function functionsCommand(models: string): Command {
  // Not held to their sizes, which only some machines can do: the demo is to go the same way on all.
  const bounds = ["--max-instances", String(instancesPerSize * functionSizes.length), "--cgroups", "off"];
  return ["functions", "--models", models, "--functions", demoFunctions, ...bounds];
}

function queueCommand(
  { slo, seconds }: DemoOptions,
  { model, record }: DemoStage,
  edges: readonly RunningProgram[],
  functions: RunningProgram,
): Command {
  const targets = [
    ...edges.flatMap(({ url }) => ["--edge", url]),
    "--fc-endpoint",
    functions.url,
    "--functions",
    demoFunctions,
  ];
  const measuring = ["--models", model, "--calibrate", String(measuringS(seconds))];
  const bounds = ["--slo", String(slo), "--serverless-calls", String(instancesPerSize)];
  return ["vqueue", ...targets, ...measuring, ...bounds, "--record", record];
}

/**
 * Starts every instance that the queue may use: on a busy machine a process takes seconds to start, which in a burst
 * would say more of the machine than of the queue.
 *
 * @throws Error when a call fails
 */
async function warmUp({ url }: RunningProgram, model: string): Promise<void> {
  const wire = blankRequest();
  // Calls at once need an instance each.
  const calls = functionSizes.flatMap((size) => Array.from({ length: instancesPerSize }, () => size));
  await Promise.all(
    calls.map(async (size) => {
      const caller = createV2Caller({ url: `${url}/trigger/${size}`, model, connections: 1 });
      const answer = await caller.send(wire);
      await caller.close();
      if (answer.kind === "failed") throw new Error(`function ${size} does not answer: ${answer.why}`);
    }),
  );
}

/** What the functions cost so far, once no call runs that nobody waits for any more. */
async function settledBill(functions: RunningProgram): Promise<DemoBill> {
  const untilMs = performance.now() + longestLeftOverMs;
  while (performance.now() < untilMs) {
    const instances = (await told(functions, "instances")) as readonly { readonly calls: number }[];
    if (instances.every(({ calls }) => calls === 0)) break;
    await delay(50);
  }
  return billOf(functions);
}

async function billOf(functions: RunningProgram): Promise<DemoBill> {
  const { currency, total } = (await told(functions, "bill")) as {
    readonly currency: string;
    readonly total: { readonly cost: number };
  };
  return { cost: total.cost, currency };
}

async function told({ url }: RunningProgram, what: string): Promise<unknown> {
  const { body, headers } = await request(`${url}/admin/${what}`);
  const bytes = await readReply(body, headers, { mostBytes: mostMetadataBytes });
  return JSON.parse(new TextDecoder().decode(bytes));
}
