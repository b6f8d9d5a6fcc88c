/** Reads what `--mqtt` names, and finds all that is wrong with it before anything is connected. */
import { readFileSync } from "node:fs";
import { showValue } from "../../../../base/error-text.ts";
import type { Environment } from "../../../../base/program/secrets.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import { Brokers } from "./brokers/brokers.ts";
import { atEmbedded, type EmbeddedAddress } from "./embedded-config.ts";
import { RuleModels } from "./rule-models.ts";
import { ruleSurroundings } from "./rule-surroundings.ts";
import { compileRules } from "./rules/compile-rules.ts";
import type { RuleSet } from "./rules/compiled-rule.ts";
import type { MqttConfig } from "./rules/config/mqtt-config.ts";
import { parseMqttConfig } from "./rules/config/read-config.ts";
import { v2Rules } from "./v2-rule.ts";

/** Stands in `--mqtt` for the broker within the daemon. */
const embedded = "embedded";

/** Rules that were read and found good. */
export interface ReadRules {
  readonly config: MqttConfig;
  readonly set: RuleSet;
}

/**
 * The path of the rule file in the values of `--mqtt`; undefined: there is none.
 *
 * @throws UsageError when there are several
 */
export function ruleFileIn(sources: readonly string[]): string | undefined {
  const paths = sources.filter((each) => each !== embedded);
  if (paths.length > 1)
    throw new UsageError(
      `--mqtt names ${paths.map(showValue).join(" and ")}; allowed: one file, and embedded`,
    );
  return paths[0];
}

/** @throws UsageError that names the place in the file, the value, and what is allowed */
export function readRules(sources: readonly string[], listen: EmbeddedAddress, env: Environment): ReadRules {
  const path = ruleFileIn(sources);
  const given = path === undefined ? undefined : parseMqttConfig(textOf(path), path);
  const config = given !== undefined && !sources.includes(embedded) ? given : atEmbedded(given, listen);
  const [broker] = config.brokers;
  const set =
    given === undefined && broker !== undefined
      ? v2Rules(broker.name)
      : compileRules(config, ruleSurroundings(config, env));
  RuleModels.check(set.rules);
  Brokers.check(config.brokers, set.subscriptions);
  return { config, set };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`--mqtt: ${showValue(path)} cannot be read (${code})`);
  }
}
