/** `spillway mqtt check`: says what is wrong with a rule file, and what each rule would do with a sample message. */
import { readFileSync } from "node:fs";
import { whyUnreadable } from "../base/error-text.ts";
import { readTextFile } from "../base/files.ts";
import { UsageError } from "../base/usage-error.ts";
import { ruleSurroundings } from "../client/daemon/ingress/mqtt/rule-surroundings.ts";
import type { MqttCheckOptions } from "../client/daemon/ingress/mqtt/rules/check/check-options.ts";
import { rulesText, triedText } from "../client/daemon/ingress/mqtt/rules/check/check-text.ts";
import {
  repeatable,
  type SampleMessage,
  type Tried,
  tryRule,
} from "../client/daemon/ingress/mqtt/rules/check/try-sample.ts";
import { compileRules } from "../client/daemon/ingress/mqtt/rules/compile-rules.ts";
import type { RuleSurroundings } from "../client/daemon/ingress/mqtt/rules/compiled-rule.ts";
import type { MqttConfig } from "../client/daemon/ingress/mqtt/rules/config/mqtt-config.ts";
import type { RunningRule } from "../client/daemon/ingress/mqtt/rules/running-rule.ts";
import { parseMqttConfig } from "../client/daemon/ingress/mqtt/rules/config/read-config.ts";

/** Exit status 0; 1 when a sample was given and no rule takes it, or one finds it bad; 2 when the file has faults. */
export async function runMqttCheck(options: MqttCheckOptions): Promise<number> {
  const { rules: file, message, json } = options;
  const config = parseMqttConfig(readTextFile(file), file);
  const sample = message === undefined ? undefined : sampleOf(options, message);
  const tried = sample === undefined ? [] : triedBy(config, sample);
  if (json) {
    const { brokers, rules } = config;
    const counts = { brokers: brokers.length, rules: rules.map(({ name, enabled }) => ({ name, enabled })) };
    process.stdout.write(`${JSON.stringify({ file, ...counts, ...(sample && { tried }) })}\n`);
  } else {
    const lines = [...rulesText(file, config), ...tried.flatMap((each) => ["", ...triedText(each)])];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  if (sample === undefined) return 0;
  const isTaken = tried.some(({ verdict }) => verdict === "takes" || verdict === "waits");
  return isTaken && tried.every(({ verdict }) => verdict !== "bad") ? 0 : 1;
}

function triedBy(config: MqttConfig, sample: SampleMessage): Tried[] {
  const surroundings = surroundingsOf(config);
  const { rules } = compileRules(config, surroundings);
  const repeating = compileRules({ ...config, rules: config.rules.map(repeatable) }, surroundings).rules;
  const enabled = config.rules.filter((rule) => rule.enabled);
  return enabled.map((own, index) => {
    return tryRule(rules[index] as RunningRule, repeating[index] as RunningRule, own, sample);
  });
}

function sampleOf(
  { topic, broker, responseTopic, property }: MqttCheckOptions,
  message: string,
): SampleMessage {
  const pairs = property.map((each) => {
    const end = each.indexOf("=");
    return [each.slice(0, end), each.slice(end + 1)] as const;
  });
  const properties = { responseTopic, userProperties: Object.fromEntries(pairs) };
  return { payload: bytesOf(message), topic, broker, properties, receivedMs: Date.now() };
}

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path === "-" ? 0 : path);
  } catch (error) {
    throw new UsageError(`--message: ${path}: ${whyUnreadable(error)}`);
  }
}

/** The keys may be on another machine. */
function surroundingsOf(config: MqttConfig): RuleSurroundings {
  try {
    return ruleSurroundings(config, process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`no keys, so that nothing encrypted can be tried: ${error.message}\n`);
    return { keyOf: () => undefined, randomBytes: (count) => new Uint8Array(count) };
  }
}
