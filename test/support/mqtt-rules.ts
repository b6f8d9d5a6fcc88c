/** Rules and messages for tests, with as little text as a test needs. */
import { stringify } from "yaml";
import { compileRules, type RunningRules } from "../../client/daemon/ingress/mqtt/rules/compile-rules.ts";
import type { Built, RuleRequest, RuleState } from "../../client/daemon/ingress/mqtt/rules/compiled-rule.ts";
import { parseMqttConfig } from "../../client/daemon/ingress/mqtt/rules/config/read-config.ts";
import type { MqttMessage, Publication } from "../../client/daemon/ingress/mqtt/rules/message.ts";
import type { RunningRule } from "../../client/daemon/ingress/mqtt/rules/running-rule.ts";
import type { InferResponse } from "../../protocol/message.ts";
import { type Tensor, tensorFromNumbers, tensorToNumbers, tensorToStrings } from "../../protocol/tensor.ts";

/** Bytes that are the same in every run, and never the same twice within one. */
export function countedBytes(): (count: number) => Uint8Array {
  let calls = 0;
  return (count) => Uint8Array.from({ length: count }, (_, index) => (index === 0 ? ++calls : index));
}

export interface RuleTestOptions {
  readonly keyOf?: (rule: string, device: string | undefined) => Uint8Array | undefined;
  readonly broker?: object;
}

/** A file with one broker, `plant`, and these rules; what a rule does not say is filled in. */
export function ruleFile(rules: readonly object[], broker: object = {}): string {
  return stringify({
    brokers: [{ name: "plant", url: "mqtt://127.0.0.1", ...broker }],
    rules: rules.map((rule, index) => ({
      name: `rule-${index}`,
      from: { broker: "plant", topic: "in/#" },
      model: "m",
      inputs: [{ name: "x", values: ["data.x"] }],
      publish: { topic: "out/results" },
      ...rule,
    })),
  });
}

export function compiledRules(rules: readonly object[], options: RuleTestOptions = {}): RunningRules {
  const config = parseMqttConfig(ruleFile(rules, options.broker), "rules.yaml");
  return compileRules(config, {
    keyOf: options.keyOf ?? (() => undefined),
    randomBytes: countedBytes(),
  });
}

export function compiledRule(rule: object, options: RuleTestOptions = {}): RunningRule {
  return compiledRules([rule], options).rules[0] as RunningRule;
}

/** @param payload JSON unless it is bytes or a text */
export function plantMessage(payload: unknown, more: Partial<MqttMessage> = {}): MqttMessage {
  const isBytes = payload instanceof Uint8Array;
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return {
    broker: "plant",
    topic: "in/press-2",
    payload: isBytes ? payload : Buffer.from(text),
    qos: 1,
    retain: false,
    dup: false,
    properties: {},
    receivedMs: 1_796_000_000_000,
    ...more,
  };
}

/** The request; fails when there is none. */
export function requestIn(built: Built): RuleRequest {
  if (built.kind !== "request") throw new Error(`no request: ${JSON.stringify(built)}`);
  return built.request;
}

export function requestFor(
  rule: RunningRule,
  message: MqttMessage,
  state: RuleState = rule.newState(),
): RuleRequest {
  return requestIn(rule.request(message, state));
}

/** What a message is refused for, at its rule or when its request is built. */
export function faultOf(rule: RunningRule, message: MqttMessage): string {
  const matches = rule.matches(message);
  if (typeof matches === "object") return `${matches.reason}: ${matches.text}`;
  const built = rule.request(message, rule.newState());
  if (!matches || built.kind !== "bad") throw new Error(`no fault: ${String(matches)}, ${built.kind}`);
  return `${built.fault.reason}: ${built.fault.text}`;
}

export function numbersIn({ inputs }: RuleRequest, at = 0): number[] {
  return Array.from(tensorToNumbers(inputs[at] as Tensor));
}

export function textsIn({ inputs }: RuleRequest, at = 0): string[] {
  return tensorToStrings(inputs[at] as Tensor);
}

/** The bytes of the only element of a BYTES input. */
export function bytesIn({ inputs }: RuleRequest): Buffer {
  return Buffer.from((inputs[0] as Tensor).data.subarray(4));
}

export function scoresAnswer(...scores: readonly number[]): { kind: "answer"; answer: InferResponse } {
  const outputs = [tensorFromNumbers("y", "FP32", [1, scores.length], scores)];
  return { kind: "answer", answer: { modelName: "m", parameters: {}, outputs } };
}

/** What a rule publishes for an answer; fails when it is nothing. */
export function publicationFor(
  rule: RunningRule,
  message: MqttMessage,
  answer: Parameters<RunningRule["result"]>[1] = scoresAnswer(0.5),
): Publication {
  const published = rule.result(message, answer, "id-1");
  if (published.kind === "publication") return published.publication;
  throw new Error(`nothing is published: ${published.fault?.text}`);
}

export function textIn({ payload }: Publication): string {
  return Buffer.from(payload).toString("utf8");
}

export function jsonIn(publication: Publication): unknown {
  return JSON.parse(textIn(publication));
}
