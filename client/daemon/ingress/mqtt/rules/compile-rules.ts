/** Compiles all rules of a configuration. */
import { didYouMean, showValue } from "../../../../../base/error-text.ts";
import { compileRule } from "./compile-rule.ts";
import type { CompiledRule, Route, RuleSet, RuleSurroundings, Subscription } from "./compiled-rule.ts";
import type { BrokerConfig } from "./config/broker-fields.ts";
import { ConfigFaults, type NoteConfigFault } from "./config/config-faults.ts";
import type { MqttConfig } from "./config/mqtt-config.ts";
import type { RuleConfig } from "./config/rule-fields.ts";
import type { BadMessage, MqttMessage } from "./message.ts";
import { MessageViews } from "./message-views.ts";
import { RunningRule } from "./running-rule.ts";

/**
 * The rules that are enabled.
 *
 * @throws UsageError with a line for each fault; there is none in a configuration that `parseMqttConfig` gave
 */
export function compileRules(config: MqttConfig, surroundings: RuleSurroundings): RunningRules {
  const faults = new ConfigFaults("");
  const rules = compileAll(config, surroundings, faults);
  faults.throwAny();
  return new CompiledRules(rules);
}

/** A keyless world, in which rules can be compiled and looked at. */
const nowhere: RuleSurroundings = {
  keyOf: () => undefined,
  randomBytes: (count) => new Uint8Array(count),
};

/** Notes what is wrong with one rule by itself. */
export function checkRule(rule: RuleConfig, note: NoteConfigFault): void {
  compileRule(rule, new MessageViews(), nowhere, note);
}

/** Notes everything that is wrong with brokers and rules beyond the form of their fields. */
export function checkRules(config: MqttConfig, faults: ConfigFaults): void {
  compileAll(config, nowhere, faults);
}

function compileAll(config: MqttConfig, surroundings: RuleSurroundings, faults: ConfigFaults): RunningRule[] {
  for (const [index, broker] of config.brokers.entries()) checkBroker(broker, faults.of(["brokers", index]));
  checkNames(config, faults);
  const views = new MessageViews();
  return config.rules.flatMap((rule, index) => {
    const compiled = compileRule(rule, views, surroundings, faults.of(["rules", index]));
    return compiled === undefined || !rule.enabled ? [] : [compiled];
  });
}

function checkBroker(broker: BrokerConfig, note: NoteConfigFault): void {
  if (broker.passwordFile !== undefined && broker.passwordEnv !== undefined)
    note(["passwordEnv"], "stands beside passwordFile; allowed: one of the two");
  if ((broker.cert === undefined) !== (broker.key === undefined))
    note([broker.cert === undefined ? "key" : "cert"], "needs cert and key together");
  const isSecure = /^(?:mqtts|ssl|tls|wss):/.test(broker.url);
  for (const key of ["ca", "cert", "serverName"] as const)
    if (broker[key] !== undefined && !isSecure)
      note([key], `stands beside ${showValue(broker.url)}; allowed: beside mqtts:// and wss://`);
}

/** Names that are used twice, and brokers that rules name and nobody knows. */
function checkNames({ brokers, rules }: MqttConfig, faults: ConfigFaults): void {
  for (const [key, list] of Object.entries({ brokers, rules })) {
    const seen = new Set<string>();
    for (const [index, { name }] of list.entries()) {
      if (seen.has(name)) faults.addValue([key, index, "name"], name, `allowed: names that differ`);
      seen.add(name);
    }
  }
  const known = brokers.map(({ name }) => name);
  for (const [index, { from, publish }] of rules.entries()) {
    const named = [
      ["from", from.broker],
      ["publish", publish.broker],
    ] as const;
    for (const [key, name] of named)
      if (name !== undefined && !known.includes(name))
        faults.addValue(
          ["rules", index, key, "broker"],
          name,
          `allowed: ${known.join(", ")}${didYouMean(name, known)}`,
        );
    const broker = brokers.find(({ name }) => name === from.broker);
    if (broker === undefined) continue;
    const isEmbedded = broker.url.startsWith("embedded:");
    if (isEmbedded && from.topic.startsWith("$share/"))
      faults.addValue(
        ["rules", index, "from", "topic"],
        from.topic,
        "allowed: a topic without $share, because the embedded broker has no shared subscriptions",
      );
    if ((isEmbedded || broker.version === "3.1.1") && publish.topic === undefined)
      faults.add(
        ["rules", index, "publish"],
        `rules[${index}].publish.topic is missing; with MQTT 3.1.1 there are no response topics`,
      );
  }
}

/** All rules at work. */
export interface RunningRules extends RuleSet {
  readonly rules: readonly RunningRule[];
}

class CompiledRules implements RunningRules {
  readonly rules: readonly RunningRule[];
  readonly subscriptions: readonly Subscription[];

  constructor(rules: readonly RunningRule[]) {
    this.rules = rules;
    const byTopic = new Map<string, Subscription>();
    for (const { subscription } of rules) {
      const key = JSON.stringify([subscription.broker, subscription.topic]);
      const other = byTopic.get(key);
      if (other === undefined || other.qos < subscription.qos) byTopic.set(key, subscription);
    }
    this.subscriptions = [...byTopic.values()];
  }

  route(message: MqttMessage): readonly Route[] {
    const found = this.rules.flatMap((rule) => {
      const matches = rule.matches(message);
      return matches === false ? [] : [{ rule, fault: matches === true ? undefined : matches }];
    });
    const isTaken = found.some(({ fault }) => fault === undefined);
    const answered = new Set<string>();
    return found.map(({ rule, fault }) => {
      const answers = fault !== undefined && !isTaken && rule.wantsErrors && isFirst(answered, fault);
      return { rule, fault, answers };
    });
  }

  subscribed(message: MqttMessage): CompiledRule | undefined {
    return this.rules.find((rule) => rule.isSubscribed(message));
  }
}

/** Of rules that find the same fault in a message, one answers. */
function isFirst(answered: Set<string>, { reason }: BadMessage): boolean {
  if (answered.has(reason)) return false;
  answered.add(reason);
  return true;
}
