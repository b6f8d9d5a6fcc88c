/** Whatever devices send: no rule throws, nothing escapes its topic, and every refusal has a reason of the list. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { compiledRules, jsonIn, plantMessage, scoresAnswer } from "../../../../../test/support/mqtt-rules.ts";
import type { RunningRules } from "./compile-rules.ts";
import type { RuleState } from "./compiled-rule.ts";
import { badMessageReasons, type MqttMessage } from "./message.ts";
import { topicMatches } from "./view/topic-text.ts";

const key = Buffer.alloc(32, 1);
const rules = [
  { name: "plain", publish: { topic: "out/${data.d}/r", properties: { d: "${data.d}" } } },
  {
    name: "condition",
    when: 'data.d == "a" || data.x > 3 || data.list.exists(e, e.v > 1) || "k" in data',
    device: "data.d",
    inputs: [
      { name: "x", values: [{ path: "data.x", text: true, default: 0 }, "data.list[*].v"] },
      { name: "w", values: ["data.x"], window: 2 },
      { name: "p", datatype: "BYTES", base64: "data.p" },
    ],
    publish: { topic: "out/${device}", payload: { all: "${data}", some: "x ${data.x} ${outputs.y}" } },
  },
  {
    name: "cel",
    inputs: [
      { name: "x", datatype: "INT64", values: [{ cel: "data.x * 2" }, { path: "data.y", map: { on: 1 } }] },
    ],
    parameters: { p: "${data.d}" },
    errors: { topic: "errors/${topic[1]}/${data.d}" },
  },
  {
    name: "gzip",
    coding: { compression: "auto", mostDecodedBytes: 10_000 },
    inputs: [{ name: "m", datatype: "BYTES", json: "data" }],
  },
  {
    name: "secret",
    device: "topic[1]",
    coding: { encryption: "aes-256-gcm", encryptedIf: 'properties["e"] == "1"', keys: { env: "KEYS" } },
  },
  {
    name: "part",
    device: "data.d",
    coding: { part: "data.t", compression: "deflate", compressedIf: "data.c" },
    inputs: [{ name: "x", datatype: "FP16", values: ["data.t.x"] }],
  },
  {
    name: "replaces",
    publish: { topic: "out/${data.d}/r", topicNames: "replace" },
    inputs: [{ name: "m", datatype: "BYTES", json: "data" }],
  },
  { name: "text", payload: { format: "text" }, inputs: [{ name: "x", datatype: "BYTES", values: ["data"] }] },
  {
    name: "bytes",
    payload: { format: "bytes" },
    inputs: [{ name: "x", datatype: "INT16", shape: [2], payload: true }],
  },
];

const name = fc.oneof(
  fc.constantFrom(
    "a",
    "#",
    "+",
    "/",
    "$SYS",
    "a/b",
    "a+",
    "../x",
    "",
    "\0",
    "\u{1f600}",
    "\ud800",
    "a\nb",
    "压机2",
    "\uffff",
    "x".repeat(300),
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  name,
  fc.constantFrom("86", "1e400", "on", "NaN"),
);
const known = fc.constantFrom(
  "d",
  "x",
  "y",
  "p",
  "t",
  "c",
  "list",
  "v",
  "k",
  "__proto__",
  "constructor",
  "toString",
  "toJSON",
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(known, fc.string()), tie("value")), { maxLength: 6 })
      .map((pairs) => Object.fromEntries(pairs)),
  ),
}));
const json = value.map((each) => Buffer.from(JSON.stringify(each)));
const spoilt = fc.tuple(json, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, byte]) => {
  bytes[at % Math.max(1, bytes.length)] = byte;
  return bytes;
});
const wellFormed = fc
  .record(
    {
      d: name,
      x: leaf,
      y: leaf,
      list: fc.array(fc.record({ v: leaf }), { maxLength: 3 }),
      p: leaf,
      t: value,
      c: leaf,
    },
    { requiredKeys: ["d"] },
  )
  .map((each) => Buffer.from(JSON.stringify(each)));
const payload = fc.oneof(
  wellFormed,
  json,
  spoilt,
  fc.uint8Array({ maxLength: 200 }),
  json.map((bytes) => gzipSync(bytes)),
  fc.constantFrom(
    Buffer.from('{"x":NaN}'),
    Buffer.from('{"x":1e999,"d":"a"}'),
    Buffer.from("[".repeat(5_000)),
    Buffer.from('{"x":99999999999999999999,"d":"a"}'),
  ),
);
const topic = fc.oneof(
  fc.constant("in/press-2"),
  name.map((each) => `in/${each}`),
);
const message: fc.Arbitrary<MqttMessage> = fc
  .record({
    payload,
    topic,
    dup: fc.boolean(),
    retain: fc.boolean(),
    responseTopic: fc.option(fc.oneof(fc.constant("reply/1"), name), { nil: undefined }),
    userProperties: fc.option(fc.dictionary(fc.constantFrom("e", "k"), fc.constantFrom("1", "2")), {
      nil: undefined,
    }),
  })
  .map(({ payload: bytes, responseTopic, userProperties, ...more }) =>
    plantMessage(Uint8Array.from(bytes), { ...more, properties: { responseTopic, userProperties } }),
  );

/** Fails when a rule does with the message what none may do. @returns how the message ended at its rules */
function checkMessage(
  set: RunningRules,
  states: ReadonlyMap<string, RuleState>,
  given: MqttMessage,
): string[] {
  return set.route(given).flatMap(({ rule, fault }) => {
    const built = rule.request(given, states.get(rule.id)!);
    const bad = built.kind === "bad" ? built.fault : undefined;
    for (const { reason, text } of [bad, fault].filter((each) => each !== undefined))
      assert(Object.hasOwn(badMessageReasons, reason) && text.length < 500);
    rule.requestId(given);
    for (const answer of [scoresAnswer(1), { kind: "error", code: "not_json", text: "why" } as const]) {
      const published = rule.result(given, answer, "id-1");
      if (published.kind === "none") continue;
      const { topic: to, payload: bytes } = published.publication;
      // Either what the device asked for, or as many levels as the template has, in its own branch.
      const isOwn = ["out/+/r", "out/+", "out/results", "errors/+/+"].some((filter) =>
        topicMatches(filter, to),
      );
      assert(isOwn || to === given.properties.responseTopic, JSON.stringify(to));
      assert(!/[#+\0]|^\$/.test(to) && !topicMatches("in/#", to), JSON.stringify(to));
      if (!["secret", "gzip", "part"].includes(rule.id)) jsonIn(published.publication);
      assert(bytes.length > 0);
    }
    return [fault?.reason ?? bad?.reason ?? built.kind];
  });
}

it("neither throws nor escapes, whatever message comes", () => {
  const set = compiledRules(rules, { keyOf: (_, device) => (device === "press-2" ? key : undefined) });
  const states = new Map(set.rules.map((rule) => [rule.id, rule.newState()]));
  fc.assert(
    fc.property(message, (given) => void checkMessage(set, states, given)),
    { numRuns: 150 },
  );
});

it("keeps a name that is one level as it is, and refuses every other", () => {
  const [rule] = compiledRules([
    { publish: { topic: "a/${data.d}/b" }, inputs: [{ name: "m", datatype: "BYTES", json: "data" }] },
  ]).rules;
  fc.assert(
    fc.property(name, (d) => {
      const built = rule!.request(plantMessage({ d }), rule!.newState());
      const isLevel =
        d !== "" &&
        !/[/+#]|^\$|[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(d) &&
        Buffer.byteLength(d) <= 256;
      expect(built.kind).toBe(isLevel ? "request" : "bad");
      const published = rule!.result(plantMessage({ d }), scoresAnswer(1), "id-1");
      if (isLevel) expect(published).toMatchObject({ publication: { topic: `a/${d}/b` } });
      else expect(published).toMatchObject({ kind: "none", fault: { reason: "bad_topic" } });
    }),
  );
});
