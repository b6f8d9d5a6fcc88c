/** A rule of the rule file: which messages it takes, which model runs, and what goes out. */
import { z } from "zod";
import { positive, text, whole } from "../../../../../../base/program/option-fields.ts";
import { errorFields, publishFields } from "./answer-fields.ts";
import { brokerName } from "./broker-fields.ts";
import { codingFields } from "./coding-fields.ts";
import { formField, plainName } from "./form-field.ts";
import { celText, inputFields, mostTextChars, pathText } from "./input-fields.ts";

const fromFields = z.strictObject({
  broker: formField(brokerName, "Broker", "Name of one of the brokers above."),
  topic: formField(
    z.string().min(1).max(1_024),
    "Topic",
    "What to subscribe to: + stands for one level, # at the end for all that follow; $share/GROUP/ before it shares the messages with others.",
  ),
  qos: formField(
    z.literal([0, 1, 2]).default(1),
    "QoS",
    "1: a message is acknowledged when its result is out. 0 and 2 are taken, but such a message may be lost with the daemon.",
  ),
  retained: formField(
    z.enum(["take", "ignore"]).default("take"),
    "Retained messages",
    "Whether a message that the broker had kept from before the subscription is taken; it comes again with every subscription.",
  ),
});

const modelName = z
  .string()
  .regex(/^[^/\\\s][^/\\]{0,255}$/, "allowed: 1 to 256 characters without / and \\");

const modelObject = z.strictObject({
  name: formField(modelName, "Name", "Name of the model at the servers."),
  version: formField(text.optional(), "Version", "Default: the one that the server prefers."),
  zip: formField(
    text.optional(),
    "Zip",
    "URL of a zip with the model, which is installed at the edge before the rule starts.",
  ),
  sha256: formField(text.optional(), "SHA-256", "Checksum of the zip in hexadecimal or base64."),
  md5: formField(text.optional(), "MD5", "Likewise, as some lists have it: it finds errors, not attackers."),
});

const payloadFields = z.strictObject({
  format: formField(
    z.enum(["json", "text", "bytes"]).default("json"),
    "Format",
    "json; text: data is the payload as a text; bytes: the rule looks at topic and properties alone, and an input takes the payload.",
  ),
  mostBytes: formField(
    whole(1, 2 ** 28).default(2 ** 20),
    "Most bytes",
    "A message with a larger payload is bad.",
  ),
});

export const ruleFields = z.strictObject({
  name: formField(plainName, "Name", "What logs, metrics and this file call the rule."),
  description: formField(z.string().max(1_000).optional(), "Description", "For people."),
  enabled: formField(z.boolean().default(true), "Enabled", "false leaves the rule out."),
  from: formField(fromFields, "From", "Which messages come to the rule."),
  when: formField(
    celText.optional(),
    "When",
    'Condition in CEL: data.deviceInfo.deviceName == "press-2" && "dispPeak" in data.telemetry. Default: every message of the topic.',
  ),
  device: formField(
    pathText.optional(),
    "Device",
    "Path to the name of the device, such as data.deviceInfo.deviceName or topic[1]. Windows and keys go by it.",
  ),
  requestId: formField(
    pathText.optional(),
    "Request id",
    "Path to an id that the message has. Default: one is made for each message.",
  ),
  payload: formField(payloadFields.prefault({}), "Payload", "What the payload of a message is."),
  coding: formField(codingFields.optional(), "Coding", "How devices compress and encrypt."),
  model: formField(
    z
      .union([modelName, modelObject])
      .transform((given) => (typeof given === "string" ? { name: given } : given)),
    "Model",
    "Name of the model, or name, zip and checksum of one to install.",
  ),
  lane: formField(text.optional(), "Lane", "Lane of the daemon that the request goes in."),
  deadline: formField(
    positive(86_400).optional(),
    "Deadline",
    "Seconds for the answer, from when the queue has taken the request; then an error result goes out. Default: 30, or as the lane says.",
  ),
  inputs: formField(z.array(inputFields).min(1).max(256), "Inputs", "How the model's inputs are made."),
  outputs: formField(
    z.array(z.string().min(1).max(256)).min(1).max(256).optional(),
    "Outputs",
    "Names of the outputs that are asked for. Default: all.",
  ),
  parameters: formField(
    z
      .record(z.string().min(1).max(256), z.union([z.string().max(mostTextChars), z.number(), z.boolean()]))
      .default({}),
    "Parameters",
    "V2 parameters of the request; a text may have placeholders.",
  ),
  windows: formField(
    z
      .strictObject({
        mostDevices: formField(
          whole(1, 1_000_000).default(10_000),
          "Most devices",
          "Devices whose values are kept; beyond it the one that was silent longest is forgotten.",
        ),
        mostBytes: formField(
          whole(1_024, 2 ** 32).default(64 * 2 ** 20),
          "Most bytes",
          "Memory of all windows of the rule.",
        ),
        maxAge: formField(
          positive(31_536_000).optional(),
          "Oldest value",
          "Seconds after which a value counts no more, so that a window never spans a standstill.",
        ),
        same: formField(
          pathText.optional(),
          "Same message",
          "Path to what tells messages of a device apart, such as data.telemetry.ts. Default: a message that the broker marks as sent before is the same when its payload is.",
        ),
      })
      .prefault({}),
    "Windows",
    "Bounds of the windows of the inputs.",
  ),
  publish: formField(publishFields.prefault({}), "Publish", "What goes out for an answer."),
  errors: formField(errorFields.prefault({}), "Errors", "What goes out when there is no answer."),
});

export type RuleConfig = Readonly<z.output<typeof ruleFields>>;

/** The model of a rule. With a `zip`, the edge installs it before the rule starts. */
export interface RuleModel {
  readonly name: string;
  readonly version?: string | undefined;
  readonly zip?: string | undefined;
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
}
