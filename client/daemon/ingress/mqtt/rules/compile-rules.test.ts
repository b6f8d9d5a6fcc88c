import { expect, it } from "vitest";
import {
  bytesIn,
  compiledRule,
  compiledRules,
  faultOf,
  jsonIn,
  numbersIn,
  plantMessage,
  publicationFor,
  requestFor,
  scoresAnswer,
  textIn,
  textsIn,
} from "../../../../../test/support/mqtt-rules.ts";
import { bytesOfElements } from "../../../../../protocol/bytes-elements.ts";

const press = {
  deviceInfo: { deviceName: "压机2", edgeDeviceName: "press-2" },
  telemetry: { ts: 1_796_000_000_000, dispPeak: 86.5, 温度: 1037, 湿度: "86", 通电: true, 无: null },
  model_data: { GS0101: "1.1", GS0102: "1.2" },
};

it("gives each rule that takes a message its own request", () => {
  const set = compiledRules([
    {
      name: "wear",
      when: 'data.deviceInfo.deviceName == "压机2" && "dispPeak" in data.telemetry',
      model: "wear",
      inputs: [{ name: "message", datatype: "BYTES", json: "data" }],
    },
    {
      name: "heat",
      from: { broker: "plant", topic: "in/#", qos: 0 },
      when: "data.telemetry.温度 > 1000",
      model: { name: "heat", version: "2" },
      lane: "urgent",
      deadline: 1.5,
      outputs: ["y"],
      parameters: {
        device: "${data.deviceInfo.edgeDeviceName}",
        peak: "${data.telemetry.dispPeak}",
        fixed: true,
      },
      inputs: [{ name: "x", values: ["data.telemetry.温度", "data.telemetry.dispPeak"] }],
    },
    { name: "other", when: 'data.deviceInfo.deviceName == "压机3"' },
  ]);
  expect(set.subscriptions).toEqual([{ broker: "plant", topic: "in/#", qos: 1 }]);
  const message = plantMessage(press);
  const [wear, heat, ...more] = set.route(message).map(({ rule }) => rule);
  expect([wear?.id, heat?.id, more]).toEqual(["wear", "heat", []]);
  const [first, second] = set.rules;
  expect(JSON.parse(textsIn(requestFor(first!, message))[0] as string)).toEqual(press);
  const request = requestFor(second!, message);
  expect(numbersIn(request)).toEqual([1037, 86.5]);
  expect(request).toMatchObject({
    model: "heat",
    version: "2",
    lane: "urgent",
    deadlineMs: 1_500,
    outputs: [{ name: "y" }],
    parameters: { device: "press-2", peak: 86.5, fixed: true },
  });
});

it.each<[string, boolean]>([
  ['data.deviceInfo.deviceName == "压机2"', true],
  ['"dispPeak" in data.telemetry', true],
  ['"nothing" in data.telemetry', false],
  ["data.telemetry.温度 >= 1037 && data.telemetry.通电", true],
  ['data["telemetry"]["温度"] * 2 > 2073', true],
  ["(data.telemetry.dispPeak - 32) * 5 / 9 > 30", true],
  ["data.nothing.more == 1", false],
  ["data.nothing == 1 || true", true],
  ["has(data.nothing)", false],
  ["data.telemetry.无 == null", true],
  ['topic[1] == "press-2" && topicName == "in/press-2"', true],
  ['topic[7] == "x"', false],
  ['properties["kind"] == "press"', true],
  ['"other" in properties', false],
  ["data.constructor == null", false],
  ['"__proto__" in data', false],
  ["retain", false],
  ["received > 0", true],
])("finds that %s is %s", (when, isTrue) => {
  const properties = { userProperties: { kind: "press" } };
  expect(compiledRule({ when }).matches(plantMessage(press, { properties }))).toBe(isTrue);
});

it("tells of a condition that asks for another type", () => {
  const rule = compiledRule({ when: "data.telemetry.湿度 > 50" });
  expect(rule.matches(plantMessage(press))).toEqual({
    reason: "wrong_type",
    text: expect.stringContaining("no such overload: dyn<string> > int"),
  });
});

it("leaves messages of other topics, brokers and, where it is told so, retained ones", () => {
  const rule = compiledRule({ from: { broker: "plant", topic: "in/+/t", retained: "ignore" } });
  const at = (topic: string, more = {}) => rule.matches(plantMessage({ x: 1 }, { topic, ...more }));
  expect(at("in/a/t")).toBe(true);
  expect(at("in/a/b/t")).toBe(false);
  expect(at("in/a/t", { broker: "other" })).toBe(false);
  expect(at("in/a/t", { retain: true })).toBe(false);
  const all = compiledRule({ from: { broker: "plant", topic: "#" }, publish: { responseTopic: "only" } });
  expect(all.matches(plantMessage({ x: 1 }, { topic: "a/b" }))).toBe(true);
  expect(all.matches(plantMessage({ x: 1 }, { topic: "$SYS/x" }))).toBe(false);
  const shared = compiledRule({ from: { broker: "plant", topic: "$share/group/in/+" } });
  expect(shared.matches(plantMessage({ x: 1 }))).toBe(true);
});

it.each<[unknown, object, string]>([
  ["{not json", {}, "not_json: the payload is not JSON"],
  ["", {}, "not_json: the payload is empty"],
  [Buffer.from([0x7b, 0xff, 0x7d]), {}, "not_utf8: "],
  ["[".repeat(100) + "]".repeat(100), {}, "not_json: the payload is nested more than 64 deep"],
  [
    { x: "y".repeat(100) },
    { payload: { mostBytes: 50 } },
    "too_large: the payload has 108 bytes; allowed: at most 50",
  ],
  [{ y: 1 }, {}, "missing_point: data.x is missing"],
  [{ x: null }, {}, "missing_point: data.x is null"],
  ['{"x": NaN}', {}, "missing_point: data.x is NaN"],
  [
    { x: "86" },
    {},
    'wrong_type: data.x is "86"; allowed: a number; with text: true numbers as texts are taken',
  ],
  [{ x: true }, {}, "wrong_type: data.x is true; allowed: a number"],
  [{ x: {} }, {}, "wrong_type: data.x is an object; allowed: a number"],
  [{ x: 1e39 }, {}, "out_of_range: "],
  [{ x: 300 }, { inputs: [{ name: "x", datatype: "UINT8", values: ["data.x"] }] }, "out_of_range: "],
  [{ x: 1.5 }, { inputs: [{ name: "x", datatype: "INT32", values: ["data.x"] }] }, "out_of_range: "],
  [
    { x: 5 },
    { inputs: [{ name: "x", values: [{ path: "data.x", max: 4 }] }] },
    "out_of_range: data.x is 5; allowed: any to 4",
  ],
  [
    { x: [1, 2] },
    { inputs: [{ name: "x", shape: [1, 3], values: ["data.x"] }] },
    'wrong_count: input "x" has 2 values; allowed: 3',
  ],
  [{ x: [] }, {}, 'wrong_count: input "x" has 0 values; allowed: 1 or more'],
  [{ x: 1 }, { device: "data.name" }, "bad_device: data.name is no name of a device"],
  [{ x: 1 }, { publish: { topic: "out/${data.name}" } }, "bad_topic: data.name is missing"],
  [
    { x: "a b" },
    { inputs: [{ name: "x", datatype: "BYTES", base64: "data.x" }] },
    'wrong_type: data.x is "a b"; allowed: a text in base64',
  ],
])("refuses %j by its reason", (payload, rule, fault) => {
  expect(faultOf(compiledRule(rule), plantMessage(payload))).toContain(fault);
});

it("takes numbers as texts, words, defaults, lists and expressions where the rule says so", () => {
  const values = [
    { path: "data.telemetry.湿度", text: true },
    { path: "data.telemetry.通电", map: { true: 1, false: 0 } },
    { path: "data.telemetry.无", default: -1 },
    { path: "data.nothing", default: 0 },
    { path: "data.telemetry.dispPeak", scale: 2, offset: 1 },
    { cel: "data.telemetry.温度 - 1000" },
    { path: "data.rows[*].v" },
    "data.grid",
    "data.metrics[name=Temp].value",
    'data["a.b"]',
    "data.rows[-1].v",
  ];
  const rule = compiledRule({ inputs: [{ name: "x", datatype: "FP64", values }] });
  const message = plantMessage({
    ...press,
    rows: [{ v: 10 }, { v: 11 }],
    grid: [
      [1, 2],
      [3, 4],
    ],
    metrics: [
      { name: "Other", value: 0 },
      { name: "Temp", value: 21 },
    ],
    "a.b": 7,
  });
  expect(numbersIn(requestFor(rule, message))).toEqual([
    86, 1, -1, 0, 174, 37, 10, 11, 1, 2, 3, 4, 21, 7, 11,
  ]);
});

it("keeps integers that a number cannot state", () => {
  const inputs = [
    { name: "x", datatype: "INT64", values: ["data.a", { path: "data.b", text: true }] },
    { name: "m", datatype: "BYTES", json: "data" },
  ];
  const rule = compiledRule({ inputs, publish: { topic: "out/r", payload: { a: "${data.a}" } } });
  const message = plantMessage('{"a": 9007199254740993, "b": "9007199254740995"}');
  const [x] = requestFor(rule, message).inputs;
  expect(Array.from(new BigInt64Array(Uint8Array.from(x!.data).buffer))).toEqual([
    9007199254740993n,
    9007199254740995n,
  ]);
  expect(textsIn(requestFor(rule, message), 1)[0]).toBe('{"a":9007199254740993,"b":"9007199254740995"}');
  expect(textIn(publicationFor(rule, message))).toBe('{"id":"id-1","a":9007199254740993}');
});

it("takes pictures in base64, as data URLs, in hexadecimal and as the payload itself", () => {
  const picture = Buffer.from([0xff, 0xd8, 0xff, 0x00, 0x01]);
  const of = (input: object, payload: unknown, more = {}) =>
    bytesIn(
      requestFor(
        compiledRule({ inputs: [{ name: "p", datatype: "BYTES", ...input }], ...more }),
        plantMessage(payload),
      ),
    );
  expect(of({ base64: "data.p" }, { p: picture.toString("base64") })).toEqual(picture);
  expect(of({ base64: "data.p" }, { p: `data:image/jpeg;base64,${picture.toString("base64")}` })).toEqual(
    picture,
  );
  expect(of({ base64: "data.p" }, { p: picture.toString("base64url") })).toEqual(picture);
  expect(of({ hex: "data.p" }, { p: picture.toString("hex") })).toEqual(picture);
  expect(of({ payload: true }, picture, { payload: { format: "bytes" } })).toEqual(picture);
  const raw = compiledRule({ inputs: [{ name: "p", datatype: "UINT8", shape: [1, 5], base64: "data.p" }] });
  expect(numbersIn(requestFor(raw, plantMessage({ p: picture.toString("base64") })))).toEqual([
    255, 216, 255, 0, 1,
  ]);
  expect(faultOf(raw, plantMessage({ p: "AAAA" }))).toMatch(/^wrong_count: /);
});

it("reads a payload that is one text", () => {
  const inputs = [{ name: "x", values: [{ path: "data", text: true }] }];
  const rule = compiledRule({ payload: { format: "text" }, inputs, device: "topic[1]" });
  const request = requestFor(rule, plantMessage("21.5"));
  expect([numbersIn(request), request.device]).toEqual([[21.5], "press-2"]);
  expect(faultOf(rule, plantMessage("online"))).toMatch(/^wrong_type: data is "online"/);
});

it("publishes a template over message and answer, and the id whatever it says", () => {
  const payload = {
    device: "${device}",
    score: "${outputs.y[0][1]}",
    text: "peak ${data.telemetry.dispPeak}, ${outputs.y[0][0]} of $${1}",
    missing: "${data.nothing}",
    list: ["${model.name}", 1, null],
  };
  const rule = compiledRule({
    device: "data.deviceInfo.edgeDeviceName",
    inputs: [{ name: "x", values: ["data.telemetry.dispPeak"] }],
    publish: {
      topic: "out/${device}/${data.deviceInfo.deviceName}",
      qos: 2,
      retain: true,
      timeout: 3,
      expiry: 60,
      payload,
    },
  });
  const publication = publicationFor(rule, plantMessage(press), scoresAnswer(0.5, 0.75));
  expect(publication).toMatchObject({
    broker: "plant",
    topic: "out/press-2/压机2",
    qos: 2,
    retain: true,
    timeoutMs: 3_000,
    expiryS: 60,
    properties: { contentType: "application/json", userProperties: { "request-id": "id-1" } },
  });
  expect(jsonIn(publication)).toEqual({
    id: "id-1",
    device: "press-2",
    score: 0.75,
    text: "peak 86.5, 0.5 of ${1}",
    missing: null,
    list: ["m", 1, null],
  });
});

it("publishes id, rule, model and all outputs where the rule has no template", () => {
  expect(jsonIn(publicationFor(compiledRule({}), plantMessage({ x: 1 }), scoresAnswer(1, 2)))).toEqual({
    id: "id-1",
    rule: "rule-0",
    model: "m",
    outputs: { y: [[1, 2]] },
  });
});

it("publishes a plain text, and bytes as they are", () => {
  const text = compiledRule({
    publish: { topic: "out/r", format: "text", payload: "${outputs.y[0][0]} of ${data.x}" },
  });
  expect(textIn(publicationFor(text, plantMessage({ x: 1 })))).toBe("0.5 of 1");
  const bytes = compiledRule({ publish: { topic: "out/r", format: "bytes", payload: "${outputs.p[0]}" } });
  const picture = Uint8Array.from([0xff, 0xd8, 0]);
  const outputs = [{ name: "p", datatype: "BYTES" as const, shape: [1], data: bytesOfElements([picture]) }];
  const answer = { kind: "answer", answer: { modelName: "m", parameters: {}, outputs } } as const;
  expect(Uint8Array.from(publicationFor(bytes, plantMessage({ x: 1 }), answer).payload)).toEqual(picture);
});

it("answers to the response topic of a message, with its correlation data", () => {
  const correlationData = Uint8Array.from([1, 2, 3]);
  const to = (rule: object, responseTopic: string) =>
    publicationFor(
      compiledRule(rule),
      plantMessage({ x: 1 }, { properties: { responseTopic, correlationData } }),
    );
  expect(to({}, "reply/7")).toMatchObject({ topic: "reply/7", properties: { correlationData } });
  expect(to({ publish: { topic: "out/r", responseTopic: "never" } }, "reply/7").topic).toBe("out/r");
  expect(to({ publish: { responseTopics: "reply/+" } }, "reply/7").topic).toBe("reply/7");
});

it.each<[object, string]>([
  [{}, "$SYS/broker"],
  [{}, "a/#"],
  [{}, "a/+/b"],
  [{}, "in/press-2"],
  [{ publish: { responseTopics: "reply/#" } }, "other/7"],
])("does not answer %j to %s", (rule, responseTopic) => {
  const properties = { responseTopic };
  expect(faultOf(compiledRule(rule), plantMessage({ x: 1 }, { properties }))).toMatch(/^bad_topic: /);
});

it.each([
  ["T2 candle 5W RGB+CW", "out/T2 candle 5W RGB_CW/r"],
  ["SHSW-1#11490B#1", "out/SHSW-1_11490B_1/r"],
  ["$SYS/../#", "out/_SYS_..__/r"],
  ["压机2", "out/压机2/r"],
])("puts _ for what the level of a name cannot have, where the rule says so: %s", (d, topic) => {
  const rule = compiledRule({ publish: { topic: "out/${data.d}/r", topicNames: "replace" } });
  const message = plantMessage({ x: 1, d });
  expect(requestFor(rule, message).model).toBe("m");
  expect(publicationFor(rule, message).topic).toBe(topic);
  expect(faultOf(rule, plantMessage({ x: 1, d: "" }))).toMatch(/^bad_topic: /);
});

it("refuses a message that asks for no answer where the rule has no topic", () => {
  expect(faultOf(compiledRule({ publish: {} }), plantMessage({ x: 1 }))).toMatch(
    /^bad_topic: the message has no response topic/,
  );
});

it("publishes an error result for what failed and for a bad message, where the rule wants one", () => {
  const rule = compiledRule({ errors: { topic: "errors/${topic[1]}" } });
  const failed = { kind: "error", code: "deadline_passed", text: "too late" } as const;
  const publication = publicationFor(rule, plantMessage({ x: 1 }), failed);
  expect(publication.topic).toBe("errors/press-2");
  expect(jsonIn(publication)).toEqual({
    id: "id-1",
    rule: "rule-0",
    error: { code: "deadline_passed", text: "too late" },
  });
  const ofBad = publicationFor(rule, plantMessage("{"), { kind: "error", code: "not_json", text: "no" });
  expect(jsonIn(ofBad)).toMatchObject({ error: { code: "not_json" } });
  const own = compiledRule({ errors: { payload: { fault: "${error.code}" } } });
  expect(jsonIn(publicationFor(own, plantMessage({ x: 1 }), failed))).toEqual({
    id: "id-1",
    fault: "deadline_passed",
  });
  const silent = compiledRule({ errors: { publish: false } });
  expect(silent.result(plantMessage({ x: 1 }), failed, "id-1")).toEqual({ kind: "none" });
});

it("turns an answer that breaks the protocol into an error result", () => {
  const outputs = [{ name: "y", datatype: "FP32" as const, shape: [2], data: new Uint8Array(3) }];
  const answer = { kind: "answer", answer: { modelName: "m", parameters: {}, outputs } } as const;
  expect(jsonIn(publicationFor(compiledRule({}), plantMessage({ x: 1 }), answer))).toMatchObject({
    error: { code: "target_fault" },
  });
});

it("lets one of several rules answer for the same fault, and none when a rule takes the message", () => {
  const set = compiledRules([{ errors: { publish: false } }, {}, {}]);
  const faults = set
    .route(plantMessage("{"))
    .map(({ rule, fault, answers }) => [rule.id, fault?.reason, answers]);
  expect(faults).toEqual([
    ["rule-0", "not_json", false],
    ["rule-1", "not_json", true],
    ["rule-2", "not_json", false],
  ]);
  const mixed = compiledRules([{ payload: { mostBytes: 3 } }, {}]);
  expect(mixed.route(plantMessage({ x: 1 })).map(({ fault, answers }) => [fault?.reason, answers])).toEqual([
    ["too_large", false],
    [undefined, false],
  ]);
});

it("says at which rule an unmatched message counts", () => {
  const set = compiledRules([{ when: "false" }, { from: { broker: "plant", topic: "other" } }]);
  const message = plantMessage({ x: 1 });
  expect([set.route(message), set.subscribed(message)?.id]).toEqual([[], "rule-0"]);
  expect(set.subscribed(plantMessage({ x: 1 }, { topic: "elsewhere" }))).toBeUndefined();
});

it("leaves out rules that are not enabled, and gives equal rules equal fingerprints", () => {
  expect(compiledRules([{ enabled: false }, {}]).rules.map(({ id }) => id)).toEqual(["rule-1"]);
  const [first, again, other] = [{}, {}, { lane: "a" }].map((rule) => compiledRule(rule).fingerprint);
  expect([first === again, first === other]).toEqual([true, false]);
});

it("takes the request's id from the message where the rule says where it is", () => {
  const rule = compiledRule({ requestId: "data.id" });
  const idOf = (id: unknown) => rule.requestId(plantMessage({ x: 1, id }));
  expect([idOf("a-1"), idOf(7), idOf(""), idOf(null), idOf({}), idOf("x".repeat(300))]).toEqual([
    "a-1",
    "7",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
