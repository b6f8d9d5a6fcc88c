/** What a rule publishes. */
import { z } from "zod";
import { positive, whole } from "../../../../../../base/program/option-fields.ts";
import { brokerName } from "./broker-fields.ts";
import { formField } from "./form-field.ts";
import { mostTextChars } from "./input-fields.ts";

const template = z.string().max(mostTextChars);

const common = {
  topic: formField(
    template.min(1).optional(),
    "Topic",
    "Where the answer goes, such as results/${device}. What stands for a placeholder is one level and can never be more.",
  ),
  payload: formField(
    z.json().optional(),
    "Payload",
    'Any JSON with placeholders: { id: "${id}", score: "${outputs.score[0][0]}" }. Default: id, model and all outputs.',
  ),
};

export const publishFields = z.strictObject({
  broker: formField(brokerName.optional(), "Broker", "Default: the one that the message came from."),
  ...common,
  topicNames: formField(
    z.enum(["refuse", "replace"]).default("refuse"),
    "Names in topics",
    "What becomes of a value such as RGB+CW that cannot be one level of a topic. refuse: the message is bad; replace: _ stands for /, +, #, $ at the start and control characters, so that two devices may share a topic.",
  ),
  responseTopic: formField(
    z.enum(["prefer", "never", "only"]).default("prefer"),
    "Response topic",
    "Whether a response topic that a message of MQTT 5 has is used: before the topic above, never, or as the only one.",
  ),
  responseTopics: formField(
    template.min(1).default("#"),
    "Allowed response topics",
    "Only response topics that this filter matches are used, such as devices/+/reply.",
  ),
  format: formField(
    z.enum(["json", "text", "bytes"]).default("json"),
    "Format",
    "json; text: the payload is one text with placeholders; bytes: one placeholder, whose bytes go out as they are.",
  ),
  qos: formField(
    z.literal([0, 1, 2]).default(1),
    "QoS",
    "0: the answer may be lost; 1: at least once; 2: once.",
  ),
  retain: formField(z.boolean().default(false), "Retain", "Whether the broker keeps the last answer."),
  timeout: formField(
    positive(3_600).default(10),
    "Timeout",
    "Seconds that the broker may take to acknowledge the answer.",
  ),
  expiry: formField(
    whole(1, 0xfffffffe).optional(),
    "Expiry",
    "Seconds that an MQTT 5 broker keeps the answer for subscribers that are away.",
  ),
  properties: formField(
    z.record(z.string().min(1).max(256), template).default({}),
    "User properties",
    "User properties of MQTT 5 that the answer has, with placeholders.",
  ),
});

export const errorFields = z.strictObject({
  publish: formField(
    z.boolean().default(true),
    "Publish errors",
    "Whether an error result goes out for a message that cannot be served.",
  ),
  ...common,
});

export type PublishConfig = Readonly<z.output<typeof publishFields>>;
