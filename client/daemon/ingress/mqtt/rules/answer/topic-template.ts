/** The topic of an answer: a template in which each placeholder is one level, or a part of one, and can never be more. */
import { showValue } from "../../../../../../base/error-text.ts";
import { MessageError } from "../view/message-error.ts";
import type { MessageView } from "../view/message-view.ts";
import { levelFault, safeLevel, topicFault } from "../view/topic-text.ts";
import { findIn, parseTemplate, type TextTemplate } from "./template.ts";

/** @throws Error that says what is wrong */
export function parseTopicTemplate(text: string): TextTemplate {
  const template = parseTemplate(text);
  // What the placeholders become is checked for each message.
  const fault = topicFault(template.parts.map((part) => (typeof part === "string" ? part : "x")).join(""));
  if (fault !== undefined) throw new Error(fault);
  return template;
}

/**
 * The topic with its values.
 *
 * @param replaces whether _ stands for what a level cannot have
 * @throws MessageError when a value is missing or would be more than a level, such as `#`, `a/b` or `$SYS`
 */
export function filledTopic(template: TextTemplate, view: MessageView, replaces: boolean): string {
  const topic = template.parts
    .map((part) => {
      if (typeof part === "string") return part;
      const value = findIn(part, view);
      const isPlain = typeof value === "string" || typeof value === "bigint" || typeof value === "boolean";
      if (!isPlain && typeof value !== "number")
        throw new MessageError(
          "bad_topic",
          `${part.text} is ${showValue(value)}; the topic ${template.text} needs it`,
        );
      const level = replaces ? safeLevel(String(value)) : String(value);
      const fault = levelFault(level);
      if (fault !== undefined)
        throw new MessageError("bad_topic", `${part.text} is ${showValue(value)}; ${fault}`);
      return level;
    })
    .join("");
  const fault = topicFault(topic);
  if (fault !== undefined) throw new MessageError("bad_topic", `the topic is ${showValue(topic)}; ${fault}`);
  return topic;
}
