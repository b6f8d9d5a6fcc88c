/** A compiled rule at work: from messages to requests, and from answers to what is published. */
import { showValue } from "../../../../../base/error-text.ts";
import { codedPayload, payloadValue } from "./answer/answer-payload.ts";
import { answerTopic, isTopicOfMessage } from "./answer/answer-topic.ts";
import { outputsJson } from "./answer/output-json.ts";
import { type AnswerView, filledText } from "./answer/template.ts";
import {
  type DecodedMessage,
  type PayloadRule,
  plainCoding,
  type UsedCoding,
} from "./coding/decode-message.ts";
import type { CompiledAnswer } from "./compile-answer.ts";
import type { CompiledRequest } from "./compile-request.ts";
import type { Built, CompiledRule, Published, RuleAnswer, RuleState, Subscription } from "./compiled-rule.ts";
import type { RuleConfig, RuleModel } from "./config/rule-fields.ts";
import type { BadMessage, MqttMessage, Publication } from "./message.ts";
import type { MessageViews } from "./message-views.ts";
import type { DeviceWindows } from "./values/device-windows.ts";
import type { CelExpression } from "./view/cel.ts";
import { isBadMessage, orFault } from "./view/message-error.ts";
import { headView, type MessageView } from "./view/message-view.ts";
import { topicMatches } from "./view/topic-text.ts";
import type { ValuePath } from "./view/value-path.ts";

export interface RuleParts {
  readonly rule: RuleConfig;
  readonly views: MessageViews;
  readonly payload: PayloadRule;
  readonly answerPart: readonly string[] | undefined;
  readonly when: CelExpression | undefined;
  readonly requestId: ValuePath | undefined;
  readonly request: CompiledRequest;
  readonly answer: CompiledAnswer;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Longest id that a message may give its request, in characters. */
const mostIdChars = 256;
/** Name of the user property of MQTT 5 with the request's id. */
const idProperty = "request-id";
const contentTypes = { json: "application/json", text: "text/plain", bytes: undefined } as const;

export class RunningRule implements CompiledRule {
  readonly id: string;
  readonly subscription: Subscription;
  readonly model: RuleModel;
  readonly fingerprint: string;
  readonly #parts: RuleParts;
  /** Equal for rules that decode messages alike. */
  readonly #how: string;

  constructor(parts: RuleParts) {
    const { rule } = parts;
    this.#parts = parts;
    this.id = rule.name;
    this.subscription = { broker: rule.from.broker, topic: rule.from.topic, qos: rule.from.qos };
    this.model = rule.model;
    this.fingerprint = JSON.stringify(rule);
    // Keys are given by rule.
    this.#how = JSON.stringify([rule.payload, rule.device, rule.coding, rule.coding?.keys && rule.name]);
  }

  /** Whether an error result goes out where a message cannot be served. */
  get wantsErrors(): boolean {
    return this.#parts.rule.errors.publish;
  }

  newState(): RuleState {
    return this.#parts.request.newState();
  }

  /** Whether the message comes by the rule's subscription, and is one to look at. */
  isSubscribed({ broker, topic, retain }: MqttMessage): boolean {
    const { from } = this.#parts.rule;
    return (
      broker === from.broker && !(retain && from.retained === "ignore") && topicMatches(from.topic, topic)
    );
  }

  matches(message: MqttMessage): boolean | BadMessage {
    if (!this.isSubscribed(message)) return false;
    const decoded = this.#decoded(message);
    if (isBadMessage(decoded)) return decoded;
    const { when } = this.#parts;
    if (when === undefined) return true;
    const met = orFault(() => ({ is: when.evaluate(decoded.view) }));
    if (isBadMessage(met)) return met;
    if (typeof met.is === "boolean" || met.is === undefined || met.is === null) return met.is === true;
    return { reason: "wrong_type", text: `${when.text} is ${showValue(met.is)}; allowed: true, false` };
  }

  /** The part of the condition that the message does not meet, as its text; undefined when it meets all. */
  unmet(message: MqttMessage): string | undefined {
    const decoded = this.#decoded(message);
    const { when } = this.#parts;
    if (when === undefined || isBadMessage(decoded)) return undefined;
    return when.conjuncts().find((part) => {
      const met = orFault(() => ({ is: part.evaluate(decoded.view) }));
      return isBadMessage(met) || met.is !== true;
    })?.text;
  }

  requestId(message: MqttMessage): string | undefined {
    const { requestId } = this.#parts;
    const decoded = requestId === undefined ? undefined : this.#decoded(message);
    if (decoded === undefined || isBadMessage(decoded)) return undefined;
    const id = requestId?.find(decoded.view as unknown as Record<string, unknown>);
    const isId = typeof id === "string" || typeof id === "number" || typeof id === "bigint";
    const text = isId ? String(id) : "";
    return text === "" || text.length > mostIdChars || /\p{Cs}/u.test(text) ? undefined : text;
  }

  request(message: MqttMessage, state: RuleState): Built {
    const decoded = this.#decoded(message);
    if (isBadMessage(decoded)) return { kind: "bad", fault: decoded };
    const { request, answer } = this.#parts;
    const built = orFault(() => {
      // Where the answer cannot go anywhere, no model runs for it.
      if (isTopicOfMessage(answer.topics)) answerTopic(answer.topics, message, decoded.view, false);
      return request.build(message, decoded.view, state as DeviceWindows);
    });
    return isBadMessage(built) ? { kind: "bad", fault: built } : built;
  }

  result(message: MqttMessage, answer: RuleAnswer, requestId: string): Published {
    const decoded = this.#decoded(message);
    const { view, used } = isBadMessage(decoded) ? this.#undecoded(message) : decoded;
    const seen = this.#answerView(view, answer, requestId);
    if (seen.error !== undefined && !this.wantsErrors) return { kind: "none" };
    const published = orFault(() => ({ publication: this.#publication(message, seen, used) }));
    if (isBadMessage(published)) return { kind: "none", fault: published };
    return { kind: "publication", publication: published.publication };
  }

  #decoded(message: MqttMessage): DecodedMessage | BadMessage {
    return this.#parts.views.of(message, this.#parts.payload, this.#how);
  }

  /** Where a message may have been encrypted, nothing of it goes out in the clear. */
  #undecoded(message: MqttMessage): DecodedMessage {
    const { device, coding } = this.#parts.payload;
    const head = headView(message);
    const found = device?.find(head as unknown as Record<string, unknown>);
    const view = typeof found === "string" && found !== "" ? { ...head, device: found } : head;
    const isEncrypted = coding !== undefined && coding.config.encryption !== "none";
    return { view, used: { compression: "none", isEncrypted } };
  }

  #answerView(view: MessageView, answer: RuleAnswer, id: string): AnswerView {
    const { rule } = this.#parts;
    const { name, version } = rule.model;
    const head = { ...view, id, rule: rule.name, model: { name, version } };
    const failed = (code: string, text: string): AnswerView => {
      return { ...head, outputs: {}, parameters: {}, error: { code, text } };
    };
    if (answer.kind === "error") return failed(answer.code, answer.text);
    const read = orFault(() => {
      return { outputs: outputsJson(answer.answer.outputs, rule.publish.format === "bytes") };
    });
    if (isBadMessage(read)) return failed("target_fault", read.text);
    const { modelVersion = version, parameters } = answer.answer;
    return { ...head, model: { name, version: modelVersion }, outputs: read.outputs, parameters };
  }

  #publication(message: MqttMessage, view: AnswerView, used: UsedCoding): Publication {
    const { rule, answer, payload, answerPart, randomBytes } = this.#parts;
    const { publish } = rule;
    const isError = view.error !== undefined;
    const format = isError ? "json" : publish.format;
    const value = payloadValue(isError ? answer.errorPayload : answer.payload, view);
    const isCoded = payload.coding !== undefined && payload.coding.config.answer === "same";
    const coding = {
      coding: payload.coding,
      used: isCoded ? used : plainCoding,
      part: answerPart,
      randomBytes,
    };
    return {
      broker: publish.broker ?? rule.from.broker,
      topic: answerTopic(answer.topics, message, view, isError),
      payload: codedPayload(format, value, view.device, coding),
      qos: publish.qos,
      retain: publish.retain,
      properties: {
        correlationData: message.properties.correlationData,
        contentType: isCoded && used !== plainCoding ? undefined : contentTypes[format],
        userProperties: this.#properties(view),
      },
      timeoutMs: publish.timeout * 1_000,
      expiryS: publish.expiry,
    };
  }

  #properties(view: AnswerView): Readonly<Record<string, string>> {
    const own = Array.from(this.#parts.answer.properties, ([name, template]) => [
      name,
      filledText(template, view),
    ]);
    return { [idProperty]: view.id, ...(Object.fromEntries(own) as Record<string, string>) };
  }
}
