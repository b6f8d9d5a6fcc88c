import { expect, it } from "vitest";
import { ruleFile } from "../../../../../../test/support/mqtt-rules.ts";
import { parseMqttConfig } from "./read-config.ts";

function faultsIn(text: string): string[] {
  try {
    parseMqttConfig(text, "rules.yaml");
    return [];
  } catch (error) {
    return (error as Error).message.split("\n");
  }
}

it("fills in what a file does not say", () => {
  const { brokers, rules } = parseMqttConfig(ruleFile([{}]), "rules.yaml");
  expect(brokers[0]).toMatchObject({ version: "5", keepAlive: 30, maxInFlight: 64 });
  expect(rules[0]).toMatchObject({
    enabled: true,
    from: { qos: 1, retained: "take" },
    model: { name: "m" },
    payload: { format: "json", mostBytes: 1_048_576 },
    publish: { qos: 1, retain: false, responseTopic: "prefer", timeout: 10 },
    errors: { publish: true },
  });
});

it("tells all faults at once, each with its line, its column, the value and what is allowed", () => {
  const text = `brokers:
  - { name: plant, url: "mqtt://user:secret@host" }
  - { name: two words, url: "http://host", versoin: 5 }
rules:
  - name: first
    from: { broker: plant, topic: in, qos: 3 }
    model: { nmae: m }
    inputs:
      - name: x
        values: [data.a, { pth: data.b }, 7]
    publish: { topic: out }
    whne: "true"
  - name: second
    from: { broker: plant, topic: in }
    when: data.a ==
    model: m
    inputs: [{ name: x, values: [data.a] }]
    publish: { topic: out }
`;
  expect(faultsIn(text)).toEqual([
    expect.stringMatching(
      /^rules\.yaml:2:20: brokers\[0\]\.url is "mqtt:\/\/\.\.\.@host"; allowed: a URL without user and password/,
    ),
    expect.stringMatching(/^rules\.yaml:3:7: brokers\[1\]\.name is "two words"; allowed: /),
    expect.stringMatching(/^rules\.yaml:3:24: brokers\[1\]\.url is "http:\/\/host"; allowed: mqtt:\/\//),
    'rules.yaml:3:44: unknown key "versoin" of brokers[1]; did you mean "version"?',
    "rules.yaml:6:39: rules[0].from.qos is 3; allowed: 0, 1, 2",
    "rules.yaml:7:5: rules[0].model.name is missing: Name of the model at the servers.",
    'rules.yaml:7:14: unknown key "nmae" of rules[0].model; did you mean "name"?',
    'rules.yaml:10:28: unknown key "pth" of rules[0].inputs[0].values[1]; did you mean "path"?',
    "rules.yaml:10:43: rules[0].inputs[0].values[2] is 7; allowed: a text, or keys with values",
    'rules.yaml:12:5: unknown key "whne" of rules[0]; did you mean "when"?',
    'rules.yaml:15:5: rules[1].when is "data.a =="; Unexpected token: EOF at character 10',
  ]);
});

it.each([
  ["", /^rules\.yaml: brokers is missing/],
  [
    "mqtts: []\nfuncs: []",
    /^rules\.yaml.*\n.*mqtts is of the older form of rule files; spillway mqtt convert reads it/,
  ],
  ["[1, 2]", /^rules\.yaml:1:1: the file is an array of 2; allowed: keys with values/],
  ["a: 1\na: 2", /^rules\.yaml:2:1: Map keys must be unique/],
  ["brokers: [\n  {", /^rules\.yaml:2:/],
  ["a: &a [x]\nb: [*a, *b]", /^rules\.yaml.*b/],
])("refuses %j with the place", (text, fault) => {
  expect(faultsIn(text).join("\n")).toMatch(fault);
});

it.each<[object, RegExp]>([
  [
    { from: { broker: "plnt", topic: "in" } },
    /from\.broker is "plnt"; allowed: plant; did you mean "plant"\?/,
  ],
  [
    { from: { broker: "plant", topic: "a/#/b" } },
    /from\.topic is "a\/#\/b"; allowed: # alone as the last level/,
  ],
  [{ from: { broker: "plant", topic: "a/b+" } }, /allowed: \+ alone as a level/],
  [{ publish: { topic: "in/x" } }, /publish\.topic is "in\/x", to which the rule itself is subscribed/],
  [{ publish: { topic: "out/+" } }, /publish\.topic is "out\/\+"; allowed: a topic without \+ and #/],
  [{ publish: { topic: "$SYS/x" } }, /does not begin with \$/],
  [
    { publish: { topic: "out/${dta.x}" } },
    /the placeholder \$\{dta\.x\} is no path; allowed: a path that begins with/,
  ],
  [{ publish: { topic: "out/${data.x" } }, /closed by \}/],
  [{ publish: { responseTopic: "never" } }, /publish\.topic is missing, and responseTopic is never/],
  [
    { publish: { topic: "o", format: "bytes", payload: { a: 1 } } },
    /does not fit format bytes; allowed: one placeholder/,
  ],
  [{ when: 'data.name.matches("^(a+)+$")' }, /matches is not allowed/],
  [{ when: "data.a.all(x, data.a.all(y, x == y))" }, /within another macro/],
  [{ when: '"text"' }, /gives string; allowed: a condition/],
  [{ when: "temperature > 5" }, /Unknown variable: temperature/],
  [{ inputs: [{ name: "x", values: ["telemetry.t"] }] }, /did you mean "data\.telemetry\.t"\?/],
  [{ inputs: [{ name: "x" }] }, /says not where its values come from; allowed: one of values, base64/],
  [{ inputs: [{ name: "x", values: ["data.a"], json: "data" }] }, /has values and json; allowed: one of/],
  [{ inputs: [{ name: "x", values: ["data.a"], window: 4 }] }, /device is missing; a window needs to know/],
  [{ inputs: [{ name: "x", datatype: "FP32", base64: "data.a" }] }, /has no shape/],
  [
    { inputs: [{ name: "x", datatype: "BYTES", values: [{ path: "data.a", text: true }] }] },
    /allowed with BYTES/,
  ],
  [{ coding: { encryption: "aes-256-gcm" } }, /coding\.keys is missing; allowed: one of file and env/],
  [
    { device: "data.d", coding: { encryption: "aes-256-gcm", keys: { env: "KEYS" } } },
    /device is "data\.d"; allowed where the whole payload is encrypted/,
  ],
  [{ coding: { compression: "gzip", compressedIf: "data.compressed" } }, /compressedIf is .*uses data/],
  [
    { coding: { encryption: "aes-256-gcm", keys: { env: "SPILLWAY_KEYS" } } },
    /does not begin with SPILLWAY_/,
  ],
  [{ model: { name: "m", zip: "http://h/m.zip" } }, /is a URL without a checksum/],
  [
    { model: { name: "m", zip: "http://h/m.zip", md5: "wrong==" } },
    /allowed: 16 bytes in hexadecimal or base64/,
  ],
])("refuses %j", (rule, fault) => {
  expect(faultsIn(ruleFile([rule])).join("\n")).toMatch(fault);
});

it("refuses names that are used twice, and a shared subscription at the embedded broker", () => {
  expect(faultsIn(ruleFile([{ name: "a" }, { name: "a" }])).join()).toMatch(
    /rules\[1\]\.name is "a"; allowed: names that differ/,
  );
  const shared = { from: { broker: "plant", topic: "$share/g/in" } };
  expect(faultsIn(ruleFile([shared]))).toEqual([]);
  expect(faultsIn(ruleFile([shared], { url: "embedded://127.0.0.1:1883" })).join()).toMatch(
    /no shared subscriptions/,
  );
});

it("takes JSON as well, and anchors with merges", () => {
  const json = JSON.stringify({ brokers: [{ name: "plant", url: "mqtt://h" }], rules: [] });
  expect(parseMqttConfig(json, "rules.json").rules).toEqual([]);
  const merged = `
brokers: [{ name: plant, url: mqtt://h }]
rules:
  - &common
    name: a
    from: { broker: plant, topic: in }
    model: m
    inputs: [{ name: x, values: [data.x] }]
    publish: { topic: out }
  - { <<: *common, name: b }
`;
  expect(parseMqttConfig(merged, "rules.yaml").rules.map(({ name }) => name)).toEqual(["a", "b"]);
});
