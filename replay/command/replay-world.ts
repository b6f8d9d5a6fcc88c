/** What a replay runs on, read from files: a trace and a scenario, or the record of a daemon. */
import { readTextFile } from "../../base/files.ts";
import { InputError, UsageError } from "../../base/usage-error.ts";
import type { TextFile } from "../../base/text-lines.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";
import { textFile } from "../files.ts";
import { parseRecord, type RecordedRun } from "../records/recorded-run.ts";
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
 * A record that was cut in the middle of its last line, as by a crash, is read without that line.
 *
 * @throws UsageError that names file and line
 */
export function readRecord(path: string): RecordedRun {
  const text = readTextFile(path);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) warn(`${path}:${whole.split("\n").length}: the line is cut; it is left out`);
  try {
    return parseRecord(whole, path);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function warn(message: string): void {
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
