import { expect, it } from "vitest";
import { ruleFile } from "../../../../../../test/support/mqtt-rules.ts";
import { compileRules } from "../compile-rules.ts";
import { parseMqttConfig } from "../config/read-config.ts";
import { triedText } from "./check-text.ts";
import { repeatable, type SampleMessage, tryRule } from "./try-sample.ts";

function reportFor(rule: object, payload: unknown, sample: Partial<SampleMessage> = {}): string {
  const config = parseMqttConfig(ruleFile([rule]), "rules.yaml");
  const world = { keyOf: () => undefined, randomBytes: (count: number) => new Uint8Array(count) };
  const [running] = compileRules(config, world).rules;
  const [repeating] = compileRules({ ...config, rules: config.rules.map(repeatable) }, world).rules;
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  const given = {
    payload: bytes,
    topic: "in/a",
    broker: undefined,
    properties: {},
    receivedMs: 1,
    ...sample,
  };
  return triedText(tryRule(running!, repeating!, config.rules[0]!, given)).join("\n");
}

it("says what a rule would send and publish", () => {
  const rule = { lane: "urgent", deadline: 2, parameters: { p: "${data.x}" }, device: "topic[1]" };
  expect(reportFor(rule, { x: 1.5 })).toBe(`rule-0: takes it
  device     a
  model      m
  lane       urgent
  deadline   2 s
  parameter  p = 1.5
  input      x  FP32[1,1]  [[1.5]]
  answer     out/results at plant, QoS 1  (outputs are not known here)
             {"id":"SAMPLE-ID","rule":"rule-0","device":"a","model":"m","outputs":{}}`);
});

it("names the part of a condition that is not met", () => {
  expect(reportFor({ when: "data.x > 1 && data.温度 > 5" }, { x: 2, 温度: 4 })).toBe(
    "rule-0: does not take it: not met: data.温度 > 5",
  );
  expect(reportFor({}, { x: 1 }, { topic: "elsewhere" })).toContain("it is subscribed to in/# at plant");
  expect(reportFor({}, { x: 1 }, { broker: "other" })).toContain("it is subscribed to in/# at plant");
  expect(reportFor({}, { x: 1 }, { topic: undefined })).toContain("in/# has wildcards; give --topic");
});

it("shows a window as the sample would fill it, also where messages are told apart", () => {
  const windows = { same: "data.x" };
  const rule = { device: "topic[1]", windows, inputs: [{ name: "x", values: ["data.x"], window: 3 }] };
  expect(reportFor(rule, { x: 7 })).toMatch(
    /sends nothing until it has 3 messages[^]*FP32\[1,3,1\] {2}\[\[\[7\],\[7\],\[7\]\]\]/,
  );
});

it("shows the error result of a bad message, and that there is none", () => {
  expect(reportFor({}, {})).toMatch(
    /bad message, missing_point: data\.x is missing\n {2}error result out\/results at plant/,
  );
  expect(reportFor({ publish: { topic: "out/${data.d}" } }, Buffer.from("{"))).toMatch(
    /no error result goes out: data\.d is missing; the topic out\/\$\{data\.d\} needs it$/,
  );
  expect(reportFor({ errors: { publish: false } }, {})).toMatch(
    /\n {2}no error result goes out: the rule wants none$/,
  );
});

it("shows pictures by their kind and size", () => {
  const rule = { payload: { format: "bytes" }, inputs: [{ name: "p", datatype: "BYTES", payload: true }] };
  expect(reportFor(rule, Buffer.from([0xff, 0xd8, 0xff, 0]))).toContain(
    "input      p  BYTES[1]  JPEG, 4 bytes",
  );
  expect(reportFor(rule, Buffer.from([1, 2, 0xff]))).toContain("BYTES[1]  3 bytes");
});
