/** The world of a replay from its files: the scenario, and the price sheet that it names. */
import { readFileSync } from "node:fs";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import { whyUnreadable } from "../../base/error-text.ts";
import { InputError } from "../../base/input-error.ts";
import { checkPrices, profileTargets } from "../world/profile.ts";
import { parseScenario, type Scenario } from "../world/scenario.ts";
import { UsageError } from "../../base/usage-error.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";

export interface World {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  /** The edge, then each function size. */
  readonly profiles: readonly TargetProfile[];
}

/**
 * @param path of the scenario
 * @throws InputError that names the scenario's file and field
 */
export function readWorld(path: string): World {
  const scenario = readScenario(path);
  const sheet = readSheet(scenario, path);
  checkPrices(scenario, sheet, path);
  return { scenario, sheet, profiles: profileTargets(scenario, sheet) };
}

function readScenario(path: string): Scenario {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(path, "", whyUnreadable(error));
  }
  return parseScenario(text, path, (message) => process.stderr.write(`spillway: ${message}\n`));
}

function readSheet({ serverless }: Scenario, path: string): PriceSheet {
  try {
    return readPriceSheet(serverless.prices);
  } catch (error) {
    if (error instanceof UsageError) throw new InputError(path, "serverless.prices", error.message);
    throw error;
  }
}
