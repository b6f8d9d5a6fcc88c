/** Where an answer goes: to the response topic of its message, or to the topic of its rule. */
import { showValue } from "../../../../../../base/error-text.ts";
import type { RuleConfig } from "../config/rule-fields.ts";
import type { MqttMessage } from "../message.ts";
import { MessageError } from "../view/message-error.ts";
import { messageRoots, type MessageView } from "../view/message-view.ts";
import { topicFault, topicMatches } from "../view/topic-text.ts";
import { filledTopic } from "./topic-template.ts";
import type { TextTemplate } from "./template.ts";

export interface AnswerTopics {
  readonly rule: Pick<RuleConfig, "from" | "publish">;
  /** Of answers. */
  readonly topic: TextTemplate | undefined;
  /** Of errors; undefined: that of answers. */
  readonly errorTopic: TextTemplate | undefined;
}

/**
 * @throws MessageError when there is no topic, or it is none that may be published to, or what is published there would
 * come back to the rule
 */
export function answerTopic(
  { rule, topic, errorTopic }: AnswerTopics,
  message: MqttMessage,
  view: MessageView,
  isError: boolean,
): string {
  const template = (isError ? errorTopic : undefined) ?? topic;
  const response = responseTopic(rule, message);
  if (response === undefined && template === undefined)
    throw new MessageError(
      "bad_topic",
      "the message has no response topic, and the rule has no topic for it",
    );
  const chosen =
    response ?? filledTopic(template as TextTemplate, view, rule.publish.topicNames === "replace");
  const { from, publish } = rule;
  if ((publish.broker ?? from.broker) === from.broker && topicMatches(from.topic, chosen))
    throw new MessageError("bad_topic", `the answer to ${showValue(chosen)} would come back to the rule`);
  return chosen;
}

/** Whether the topic of answers is known before there is one. */
export function isTopicOfMessage({ topic }: AnswerTopics): boolean {
  const roots: readonly string[] = messageRoots;
  return (
    topic === undefined || topic.parts.every((part) => typeof part === "string" || roots.includes(part.root))
  );
}

function responseTopic(
  { from, publish }: AnswerTopics["rule"],
  { properties: { responseTopic: given } }: MqttMessage,
): string | undefined {
  // At another broker nobody waits for it.
  const isElsewhere = publish.broker !== undefined && publish.broker !== from.broker;
  if (given === undefined || publish.responseTopic === "never" || isElsewhere) return undefined;
  const fault = topicFault(given);
  if (fault !== undefined)
    throw new MessageError("bad_topic", `the response topic is ${showValue(given)}; ${fault}`);
  if (topicMatches(publish.responseTopics, given)) return given;
  throw new MessageError(
    "bad_topic",
    `the response topic is ${showValue(given)}; allowed: ${publish.responseTopics}`,
  );
}
