/** The options of `spillway mqtt load`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag, optionalText, positive, seed, text, whole } from "../../base/program/option-fields.ts";

const usualPayload = '{"id":"${id}","device":"${device}","ts":${now},"temperature":${random(20,30)}}';

export const mqttLoadOptions = z.strictObject({
  url: text.default("mqtt://127.0.0.1:1883").describe("the broker: mqtt://HOST:PORT, or mqtts:// for TLS"),
  protocol: z.enum(["5", "3.1.1"]).default("3.1.1").describe("version of MQTT that the devices speak"),
  user: optionalText.describe("user at the broker; the password is in MQTT_PASSWORD"),
  ca: optionalText.describe("PEM file of the authority that signed the broker's certificate"),
  devices: whole(1, 100_000).default(10).describe("number of devices"),
  connections: whole(1, 10_000)
    .optional()
    .describe("connections that the devices share (default: one each, 50 at most)"),
  topic: text.default("devices/${device}/telemetry").describe("where devices publish"),
  results: text.default("results/${device}").describe("where their results come"),
  resultId: text
    .default("id")
    .describe("field of a result that repeats the ${id} of its message, such as id or request.id"),
  payload: text.default(usualPayload).describe("what devices send: a text with placeholders, or @FILE"),
  recorded: optionalText.describe(
    "CSV file of recorded values, whose rows are sent in turn as ${recorded.COLUMN}",
  ),
  qos: whole(0, 2).default(1).describe("QoS of messages and results"),
  rate: positive(1_000_000).default(100).describe("messages a second, of all devices together"),
  arrivals: z
    .enum(["poisson", "constant"])
    .default("poisson")
    .describe("gaps between messages: random, as of independent devices, or all equal"),
  seconds: positive(86_400).default(10).describe("how long messages are sent, in seconds"),
  messages: whole(1).optional().describe("most messages (default: limited by time only)"),
  wait: positive(86_400)
    .default(60)
    .describe("how long a result is waited for, in seconds from when its message was due"),
  queue: optionalText.describe("URL of the daemon, whose backlog is looked at while the load runs"),
  seed: seed.describe("seed of the generated moments and values"),
  quantile: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.99)
    .describe("quantile of the round trip that the run is to determine; the verdict says whether it does"),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type MqttLoadOptions = z.output<typeof mqttLoadOptions>;
