/** The rule file as a whole. */
import { z } from "zod";
import { brokerFields } from "./broker-fields.ts";
import { formField } from "./form-field.ts";
import { ruleFields } from "./rule-fields.ts";

export const mqttFields = z.strictObject({
  brokers: formField(
    z.array(brokerFields).min(1).max(64),
    "Brokers",
    "The MQTT brokers that messages come from and go to.",
  ),
  rules: formField(
    z.array(ruleFields).max(1_000).default([]),
    "Rules",
    "What is done with messages. A message that several rules take goes through all of them.",
  ),
});

export type MqttConfig = Readonly<z.output<typeof mqttFields>>;

/** The JSON Schema (draft-07) of the rule file, with titles and descriptions from which a form can be drawn. */
export function mqttConfigSchema(): object {
  return {
    title: "Spillway MQTT rules",
    description: "Which messages of devices go to which model, and what is published.",
    ...z.toJSONSchema(mqttFields, { io: "input", target: "draft-7" }),
  };
}
