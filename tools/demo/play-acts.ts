/** Plays the demo's acts: sends the load, tells once a second how it goes, and takes the edge away in the last act. */
import { setTimeout as delay } from "node:timers/promises";
import { createProgress } from "../../base/program/progress.ts";
import { type Act, actHeading, outageOf } from "./acts.ts";
import type { Outage } from "./demo-replay.ts";
import { answersBetween, liveLine } from "./live-line.ts";
import { type DemoLoad, type DemoOutcome, sendAll } from "./load.ts";

export interface DemoBill {
  readonly cost: number;
  readonly currency: string;
}

export interface ActsToPlay {
  readonly acts: readonly Act[];
  /** Requests a second that the edge can take. */
  readonly edgePerS: number;
  readonly load: DemoLoad;
  readonly sloMs: number;
  /** What a request costs when functions alone serve. */
  readonly aloneCost: number;
  /** What the functions cost since the first act. */
  readonly bill: () => Promise<DemoBill>;
  /** Names of all edges; the last act takes the first one away. */
  readonly edges: readonly string[];
  readonly killEdge: () => Promise<void>;
  /** Resolves when the edge serves again. */
  readonly restartEdge: () => Promise<unknown>;
  /** Ends the sending early. */
  readonly stop: AbortSignal;
}

export interface Played {
  readonly outcomes: readonly DemoOutcome[];
  /** Undefined when the run ended before the edge was killed. */
  readonly outage: Outage | undefined;
}

const tickMs = 1_000;
/** Where lines cannot be written over, one of so many is shown. */
const ticksPerPlainLine = 3;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export async function playActs(given: ActsToPlay): Promise<Played> {
  const { load, stop } = given;
  const outcomes: DemoOutcome[] = [];
  const startedAtMs = performance.now();
  const nowMs = (): number => performance.now() - startedAtMs;
  const display = startDisplay(given, outcomes, nowMs);
  const ended = new AbortController();
  const until = AbortSignal.any([stop, ended.signal]);
  const direction = direct(given, nowMs, (text) => display.tell(text), until);
  await sendAll(load, stop, (outcome) => outcomes.push(outcome));
  ended.abort();
  const outage = await direction;
  display.end();
  return { outcomes, outage };
}

/** Announces each act at its time, and kills and restarts the edge in the last one. */
async function direct(
  { acts, edgePerS, edges, killEdge, restartEdge }: ActsToPlay,
  nowMs: () => number,
  tell: (text: string) => void,
  stop: AbortSignal,
): Promise<Outage | undefined> {
  const reached = (atS: number): Promise<boolean> =>
    delay(Math.max(0, atS * 1_000 - nowMs()), true, { signal: stop }).catch(() => false);
  for (const [index, { fromS }] of acts.entries()) {
    if (!(await reached(fromS))) return undefined;
    tell(actHeading(acts, index, edgePerS, edges.length));
  }
  const { killedAtS, restartedAtS } = outageOf(acts);
  if (!(await reached(killedAtS))) return undefined;
  const fromMs = nowMs();
  const [edge, ...others] = edges;
  const isAlone = others.length === 0 || edge === undefined;
  const [called, rest] = isAlone ? ["the edge", ""] : [edge, `${others.join(", ")} and `];
  await killEdge();
  tell(`${called} is killed; ${rest}functions carry the load`);
  const which = isAlone ? {} : { edge };
  if (!(await reached(restartedAtS))) return { ...which, fromMs, toMs: Infinity };
  await restartEdge();
  const toMs = nowMs();
  tell(`${called} is back after ${((toMs - fromMs) / 1_000).toFixed(1)} s`);
  return { ...which, fromMs, toMs };
}

function startDisplay(
  { load: { momentsS }, sloMs, aloneCost, bill }: ActsToPlay,
  outcomes: readonly DemoOutcome[],
  nowMs: () => number,
): { tell(text: string): void; end(): void } {
  const progress = createProgress(process.stderr);
  let ticks = 0;
  let line = "";
  let isOver = false;
  const arrivedBefore = (atMs: number): number => momentsS.filter((atS) => atS * 1_000 <= atMs).length;
  const tick = async (): Promise<void> => {
    const toMs = nowMs();
    const fromMs = toMs - tickMs;
    const { cost, currency } = await bill();
    if (isOver) return;
    line = liveLine({
      arrivals: arrivedBefore(toMs) - arrivedBefore(fromMs),
      ...answersBetween(outcomes, fromMs, toMs, sloMs),
      cost,
      aloneCost: aloneCost * arrivedBefore(toMs),
      currency,
    });
    if (process.stderr.isTTY) progress.show(line);
    else if (ticks++ % ticksPerPlainLine === 0) say(line);
  };
  // The bill is asked for again in a second; a call that fails leaves one line out.
  const timer = setInterval(() => void tick().catch(() => {}), tickMs);
  const keepLine = (): void => {
    progress.end();
    if (process.stderr.isTTY && line !== "") say(line);
    line = "";
  };
  return {
    tell: (text) => {
      keepLine();
      say(text);
    },
    end: () => {
      isOver = true;
      clearInterval(timer);
      keepLine();
    },
  };
}
