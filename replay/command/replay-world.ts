/** What a replay runs on, read from files: a trace and a scenario, or the record of a daemon. */
import { readTextFile } from "../../base/files.ts";
import { InputError, UsageError } from "../../base/usage-error.ts";
import type { TextFile } from "../../base/text-lines.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";
import { textFile } from "../files.ts";
import { type ReadRun, readRuns } from "../records/read-record.ts";
import type { RecordedRun } from "../records/recorded-run.ts";
import { recordedWorld } from "../records/recorded-world.ts";
import { checkPrices, profileTargets } from "../world/profile.ts";
import { parseScenario, type Scenario } from "../world/scenario.ts";

export interface World {
  readonly trace: TextFile;
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  /** The edge, then each function size. */
  readonly profiles: readonly TargetProfile[];
}

/**
 * A trace and the world that a scenario describes.
 *
 * @throws InputError that names the scenario's file and field
 */
export function readWorld(trace: string, scenarioPath: string): World {
  const scenario = parseScenario(readTextFile(scenarioPath), scenarioPath, warn);
  const sheet = sheetOf(scenario, scenarioPath);
  checkPrices(scenario, sheet, scenarioPath);
  return { trace: textFile(trace), scenario, sheet, profiles: profileTargets(scenario, sheet) };
}

/**
 * The arrivals of a record, in the world as far as the record tells of it.
 *
 * @throws InputError that names the record and what it lacks
 */
export function readRecordedWorld(path: string): World {
  const world = recordedWorld(readRecord(path), path);
  return { ...world, profiles: profileTargets(world.scenario, world.sheet) };
}

/**
 * The run of a record. A record that was cut in the middle of its last line, as by a crash, is read without that line; of a
 * folder with several runs the last one is taken.
 *
 * @throws UsageError that names file and line
 */
export function readRecord(path: string): RecordedRun {
  const { run, file, isPartial } = readRuns(path, warn).at(-1) as ReadRun;
  if (isPartial) warn(`${file}: the file in which the run begins is gone: it does not replay exactly`);
  return run;
}

export function warn(message: string): void {
  process.stderr.write(`spillway: ${message}\n`);
}

function sheetOf({ serverless }: Scenario, path: string): PriceSheet {
  try {
    return readPriceSheet(serverless.prices);
  } catch (error) {
    if (error instanceof UsageError) throw new InputError(path, "serverless.prices", error.message);
    throw error;
  }
}
