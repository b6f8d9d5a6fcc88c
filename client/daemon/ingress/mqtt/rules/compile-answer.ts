/** Compiles what a rule publishes. */
import { showValue } from "../../../../../base/error-text.ts";
import type { AnswerTopics } from "./answer/answer-topic.ts";
import { type PayloadForm, payloadForm } from "./answer/answer-payload.ts";
import {
  type JsonTemplate,
  parseJsonTemplate,
  parseTemplate,
  placeholderOf,
  type TextTemplate,
} from "./answer/template.ts";
import { parseTopicTemplate } from "./answer/topic-template.ts";
import type { ConfigPath, NoteConfigFault } from "./config/config-faults.ts";
import type { RuleConfig } from "./config/rule-fields.ts";
import { filterFault, topicMatches } from "./view/topic-text.ts";

export interface CompiledAnswer {
  readonly topics: AnswerTopics;
  readonly payload: PayloadForm;
  readonly errorPayload: PayloadForm;
  readonly properties: ReadonlyMap<string, TextTemplate>;
}

/** Undefined when faults were noted. */
export function compileAnswer(rule: RuleConfig, note: NoteConfigFault): CompiledAnswer {
  const { publish, errors, from } = rule;
  const topic = topicOf(rule, "publish", note);
  const errorTopic = topicOf(rule, "errors", note);
  const filter = filterFault(publish.responseTopics);
  if (filter !== undefined)
    note(["publish", "responseTopics"], `is ${showValue(publish.responseTopics)}; ${filter}`);
  if (publish.responseTopic === "only" && publish.topic !== undefined)
    note(["publish", "topic"], "stands beside responseTopic only; allowed: beside prefer and never");
  if (publish.topic === undefined && publish.responseTopic === "never")
    note(
      ["publish", "topic"],
      "is missing, and responseTopic is never; allowed: a topic such as results/${device}",
    );
  const isElsewhere = publish.broker !== undefined && publish.broker !== from.broker;
  if (publish.topic === undefined && isElsewhere)
    note(
      ["publish", "topic"],
      "is missing; at another broker than the message's there are no response topics",
    );
  const template = templateAt(publish.payload, ["publish", "payload"], note);
  const errorTemplate = templateAt(errors.payload, ["errors", "payload"], note);
  checkFormat(publish.format, template, note);
  return {
    topics: { rule, topic, errorTopic },
    payload: payloadForm(publish.format, template),
    errorPayload: payloadForm("json", errorTemplate),
    properties: propertiesOf(publish.properties, note),
  };
}

function topicOf(
  rule: RuleConfig,
  key: "publish" | "errors",
  note: NoteConfigFault,
): TextTemplate | undefined {
  const { topic } = rule[key];
  if (topic === undefined) return undefined;
  try {
    const template = parseTopicTemplate(topic);
    const isFixed = template.parts.every((part) => typeof part === "string");
    const broker = rule.publish.broker ?? rule.from.broker;
    if (isFixed && broker === rule.from.broker && topicMatches(rule.from.topic, template.parts.join("")))
      note(
        [key, "topic"],
        `is ${showValue(topic)}, to which the rule itself is subscribed; allowed: another topic`,
      );
    return template;
  } catch (error) {
    note([key, "topic"], `is ${showValue(topic)}; ${(error as Error).message}`);
    return undefined;
  }
}

function templateAt(payload: unknown, place: ConfigPath, note: NoteConfigFault): JsonTemplate | undefined {
  if (payload === undefined) return undefined;
  return parseJsonTemplate(payload, (steps, text) => note([...place, ...steps], `is wrong: ${text}`));
}

function checkFormat(
  format: RuleConfig["publish"]["format"],
  template: JsonTemplate | undefined,
  note: NoteConfigFault,
): void {
  if (format === "json") return;
  const isText = template?.kind === "text";
  const isFit = format === "text" ? isText : isText && placeholderOf(template.template) !== undefined;
  if (isFit) return;
  const allowed =
    format === "text" ? "one text with placeholders" : "one placeholder, such as ${outputs.picture[0]}";
  note(["publish", "payload"], `does not fit format ${format}; allowed: ${allowed}`);
}

function propertiesOf(
  properties: Readonly<Record<string, string>>,
  note: NoteConfigFault,
): ReadonlyMap<string, TextTemplate> {
  const templates = new Map<string, TextTemplate>();
  for (const [name, text] of Object.entries(properties)) {
    try {
      templates.set(name, parseTemplate(text));
    } catch (error) {
      note(["publish", "properties", name], `is ${showValue(text)}; ${(error as Error).message}`);
    }
  }
  return templates;
}
