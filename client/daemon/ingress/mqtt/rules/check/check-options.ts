/** The options of `mqtt check`, each with its meaning and default. */
import { z } from "zod";
import { flag, text } from "../../../../../../base/program/option-fields.ts";

export const mqttCheckOptions = z.strictObject({
  rules: text.describe("the rule file; also without --rules").meta({ argument: "FILE" }),
  message: text
    .optional()
    .describe("file with the payload of a sample message, as a device sends it; - reads it from stdin"),
  topic: text
    .optional()
    .describe("topic of the sample (default: that of each rule, where it has no wildcards)"),
  broker: text.optional().describe("broker that the sample comes from (default: that of each rule)"),
  responseTopic: text
    .optional()
    .describe("response topic of the sample, as a device with MQTT 5 may ask for"),
  property: z
    .array(z.string().regex(/^[^=]+=/, "NAME=VALUE"))
    .default([])
    .describe("a user property of the sample, NAME=VALUE, as a device with MQTT 5 may send"),
  json: flag.describe("print one JSON document instead of a text"),
});

export type MqttCheckOptions = z.output<typeof mqttCheckOptions>;
