/** `--hindsight`: finds a schedule and replays it, as if a policy had made it. */
import { createLogFile } from "../files.ts";
import { findSchedule } from "../hindsight/find-schedule.ts";
import { readKnownArrivals } from "../hindsight/known-arrivals.ts";
import { playInSteps } from "../hindsight/play.ts";
import type { HindsightWorld, PlannedBatch, Schedule } from "../hindsight/schedule.ts";
import { policyWith } from "../peers/registry.ts";
import type { ReportRun } from "../report/chart.ts";
import { replayTrace } from "../run.ts";
import { Timeline } from "../timeline.ts";
import type { ArrivalOptions } from "../traces/arrivals.ts";
import { targetOf } from "../world/batch-sent.ts";
import type { ReplayCommandOptions } from "./replay-options.ts";
import type { ReplayProgress } from "./replay-progress.ts";
import type { World } from "./replay-world.ts";
import { basename } from "node:path";

interface HindsightRun {
  readonly options: ReplayCommandOptions;
  readonly arrivals: ArrivalOptions;
  readonly world: World;
  /** What it is compared with. */
  readonly runs: readonly ReportRun[];
  readonly progress: ReplayProgress;
}

export async function runHindsight(run: HindsightRun): Promise<ReportRun> {
  const { options, arrivals: range, world, runs, progress } = run;
  const { scenario, sheet, trace } = world;
  const arrivals = await readKnownArrivals(trace, range);
  const hindsightWorld = { scenario, sheet, arrivals, seed: range.seed };
  const own = runs.find(({ policy }) => policy === "spillway");
  const known = await ownSchedule(run);
  const requests = arrivals.atMs.length;
  progress.begin("hindsight", { requests });
  const { schedule } = findSchedule(hindsightWorld, {
    share: options.share ?? own?.summary.inSloShare ?? undefined,
    known: known === undefined ? [] : [known],
    onProgress: (part) => progress.reached(Math.floor(part * requests), 0),
  });
  return play(run, hindsightWorld, schedule);
}

/** What `spillway` sends; undefined when one of its batches fails, as a schedule foresees that. */
async function ownSchedule({ arrivals, world, progress }: HindsightRun): Promise<Schedule | undefined> {
  const targets = new Map(world.profiles.map(({ name }, index) => [name, index]));
  const schedule: PlannedBatch[] = [];
  let failed = false;
  progress.begin("spillway", {});
  await replayTrace({
    ...arrivals,
    ...world,
    policy: policyWith("spillway"),
    onProgress: progress.reached,
    onBatch: (sent) => {
      // A search sends requests whole.
      const isSplit = sent.batch.parts.some(({ payload, fromRow, toRow }) => toRow - fromRow < payload.rows);
      if (!sent.end.ok || isSplit) failed = true;
      schedule.push({
        target: targets.get(targetOf(sent)) as number,
        formedAtMs: sent.formedAtMs,
        requests: sent.batch.parts.map(({ payload }) => payload.id),
      });
    },
  });
  return failed ? undefined : schedule;
}

async function play(
  { options, world }: HindsightRun,
  hindsightWorld: HindsightWorld,
  schedule: Schedule,
): Promise<ReportRun> {
  const log = options.log === undefined ? undefined : createLogFile(options.log);
  const timeline = new Timeline(world.profiles);
  try {
    const steps = playInSteps(hindsightWorld, schedule, {
      trace: basename(world.trace.name),
      writeLog: log === undefined ? undefined : (line) => log.write(line),
      timeline: options.report === undefined ? undefined : timeline,
    });
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) await log?.flush();
    await log?.close();
    return { policy: "hindsight", summary: step.value, timeline: timeline.picture() };
  } catch (error) {
    await log?.discard();
    throw error;
  }
}
