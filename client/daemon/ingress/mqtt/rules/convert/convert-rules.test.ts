import { parse as parseYaml } from "yaml";
import { expect, it } from "vitest";
import { parseMqttConfig } from "../config/read-config.ts";
import { convertRules } from "./convert-rules.ts";
import { celOfPython } from "./python-to-cel.ts";

const old = `
expose: [{ name: monitor, outPort: 1 }]
funcs:
  - modelName: wear
    modelAddress: http://127.0.0.1:9/wear.zip
    modelMd5: "AAAAAAAAAAAAAAAAAAAAAA=="
    devices:
      - deviceName: "压机2"
        deviceAttr:
          - { attrName: deviceName, attrValue: "压机2", attrExpression: "== data_to_dict['deviceInfo']['deviceName']" }
          - { attrName: pointName, attrValue: peak, attrExpression: "in data_to_dict['telemetry']" }
      - deviceName: "压机3"
        deviceAttr:
          - { attrName: deviceName, attrValue: "压机3", attrExpression: "== data_to_dict['deviceInfo']['deviceName']" }
  - { modelName: odd, modelAddress: "http://h/odd.zip", modelMd5: wrong, devices: [{ deviceName: a, deviceAttr: [{ attrName: x, attrValue: 1, attrExpression: "== __import__('os').getpid()" }] }] }
mqtts:
  - { name: plant, broker: "tcp://10.0.0.1:1883", qos: 1, retain: true, username: u, password: secret }
  - { name: cloud, broker: "10.0.0.2:1884" }
rules:
  - sub: { name: plant, clientId: in, topic: data }
    pub: { name: plant, clientId: out, timeout: 5, topic: results }
  - sub: { name: plant, clientId: in, topic: data/+ }
    pub: { name: cloud, topic: results }
  - sub: { name: gone, topic: data }
    pub: { name: plant, topic: results }
`;

it("carries over brokers, topics, conditions, models and what is published", () => {
  const { text } = convertRules(parseYaml(old), "old.yaml");
  const { brokers, rules } = parseMqttConfig(text, "new.yaml");
  expect(brokers).toMatchObject([
    {
      name: "plant",
      url: "tcp://10.0.0.1:1883",
      clientId: "in",
      user: "u",
      passwordEnv: "MQTT_PASSWORD_PLANT",
    },
    { name: "cloud", url: "mqtt://10.0.0.2:1884" },
  ]);
  expect(rules.map(({ name, enabled }) => [name, enabled])).toEqual([
    ["wear", true],
    ["odd", false],
    ["wear-2", true],
    ["odd-2", false],
  ]);
  expect(rules[0]).toMatchObject({
    from: { broker: "plant", topic: "data", qos: 1 },
    when: '("压机2" == data.deviceInfo.deviceName && "peak" in data.telemetry) || "压机3" == data.deviceInfo.deviceName',
    device: "data.deviceInfo.deviceName",
    model: { name: "wear", zip: "http://127.0.0.1:9/wear.zip", md5: "AAAAAAAAAAAAAAAAAAAAAA==" },
    publish: { topic: "results", qos: 1, retain: true, timeout: 5 },
  });
  expect(rules[1]?.model).toEqual({ name: "odd" });
  expect(rules[2]?.publish).toMatchObject({ broker: "cloud", topic: "results" });
  expect(text).not.toContain("secret");
});

it("says what it could not carry over", () => {
  const { losses } = convertRules({ ...(parseYaml(old) as object), more: 1 }, "old.yaml");
  for (const loss of [
    /^expose: /,
    /^more: is not known/,
    /^mqtts\[0\]\.password: a password does not belong in a rule file/,
    /^rules\[0\]\.pub\.timeout: is 5 without a unit; taken as seconds/,
    /^rules\[0\]\.pub\.clientId: is "out"/,
    /^rules\[2\]\.sub\.name: is "gone", which is none of mqtts/,
    /^funcs\[1\]\.modelMd5: is "wrong"/,
    /^funcs\[1\]\.modelAddress: .*nothing is installed from it/,
    /^funcs\[1\]\.devices\[0\]\.deviceAttr\[0\]\.attrExpression: .*not carried over: "__import__" at character \d+ has no counterpart/,
    /^funcs\[0\]: does not say what inputs wear has/,
  ])
    expect(losses).toContainEqual(expect.stringMatching(loss));
});

it("takes an expression that is whole by itself, without the value", () => {
  const attribute = { attrName: "t", attrValue: "x", attrExpression: "data_to_dict['t'] > 5" };
  const { text, losses } = convertRules(
    {
      mqtts: [{ name: "p", broker: "h" }],
      funcs: [{ modelName: "m", devices: [{ deviceAttr: [attribute] }] }],
      rules: [{ sub: { name: "p", topic: "in" }, pub: { name: "p", topic: "out" } }],
    },
    "old.yaml",
  );
  expect(parseMqttConfig(text, "new.yaml").rules[0]).toMatchObject({ enabled: true, when: "data.t > 5" });
  expect(losses.join()).not.toContain("attrExpression");
});

it("reads earlier words for keys, units of times, and a device and point at the function itself", () => {
  const attributes = [
    { attrName: "deviceName", attrValue: "a", attrExpression: "== data_to_dict['deviceInfo']['deviceName']" },
  ];
  const { text, losses } = convertRules(
    {
      mqtts: [{ name: "b1", broker: "tcp://10.0.0.1:1883", qos: 0, retain: false }],
      rules: [
        {
          sub: { name: "b1", clientId: 5555, topic: "/in" },
          pub: { name: "b1", clientId: 6666, timeout: "500ms", topic: "/out" },
        },
      ],
      funcs: [
        {
          modelName: "trend",
          model_address: "http://h/t.zip",
          model_md5: "AAAAAAAAAAAAAAAAAAAAAA==",
          deviceName: "设备3",
          pointName: "油温",
        },
        { modelName: "other", devices: [{ device: attributes }] },
        {
          modelName: "apart",
          devices: [
            {
              deviceName: "b",
              deviceParseExpression: "== data_to_dict['name']",
              pointName: "p",
              pointParseExpression: 'in data_to_dict["points"]',
            },
          ],
        },
      ],
    },
    "old.yaml",
  );
  const { brokers, rules } = parseMqttConfig(text, "new.yaml");
  expect(brokers[0]?.clientId).toBe("5555");
  expect(rules).toMatchObject([
    {
      when: '"设备3" == data.deviceInfo.deviceName && "油温" in data.telemetry',
      model: { name: "trend", zip: "http://h/t.zip", md5: "AAAAAAAAAAAAAAAAAAAAAA==" },
      publish: { topic: "/out", timeout: 0.5, qos: 0 },
    },
    { when: '"a" == data.deviceInfo.deviceName', enabled: true },
    { when: '"b" == data.name && "p" in data.points', enabled: true, device: "data.name" },
  ]);
  expect(losses).toContainEqual(
    expect.stringMatching(/^funcs\[0\]: names its device or point without saying where/),
  );
});

it("takes a function that a rule names itself as a model", () => {
  const { text, losses } = convertRules(
    {
      mqtts: [{ name: "p", broker: "h" }],
      rules: [
        {
          name: "trend",
          func: "modules.trend.index.handler",
          sub: { name: "p", topic: "in" },
          pub: { name: "p", topic: "out" },
        },
      ],
    },
    "old.yaml",
  );
  expect(parseMqttConfig(text, "new.yaml").rules[0]).toMatchObject({
    name: "trend",
    model: { name: "trend" },
  });
  expect(losses).toContainEqual(expect.stringMatching(/^rules\[0\]\.func: is "modules\.trend/));
});

it.each([
  [null, /old\.yaml: the file is null/],
  [{}, /is no rule file of the older form/],
  [{ brokers: [], rules: [] }, /is of the form of today; check it with spillway mqtt check/],
  [[], /old\.yaml: the file is an array/],
  [{ mqtts: 5 }, /old\.yaml: mqtts is 5; allowed: array/],
  [{ rules: [{ sub: { name: "a" } }] }, /old\.yaml: rules\[0\]\.sub\.topic/],
])("refuses %j with the place", (value, fault) => {
  expect(() => convertRules(value, "old.yaml")).toThrow(fault);
});

it.each([
  [`"a" == data_to_dict['deviceInfo']['deviceName']`, '"a" == data.deviceInfo.deviceName'],
  [`'点' in data_to_dict["telemetry"]`, '"点" in data.telemetry'],
  ["'p' not in data_to_dict['t']", '!("p" in data.t)'],
  ["5 < data_to_dict['t']['温度'] <= 10.5", "5 < data.t.温度 && data.t.温度 <= 10.5"],
  ["data_to_dict.get('a') is None", "data.a == null"],
  ["data_to_dict['a'] is not None and not data_to_dict['b']", "data.a != null && !(data.b)"],
  ["1 == 1 and (2 == 2 or 3 == 3)", "1 == 1 && (2 == 2 || 3 == 3)"],
  ["data_to_dict['a b']['list'][0]['x'] == True", 'data["a b"].list[0].x == true'],
  ["data_to_dict['l'][-1] in [1, 2, -3]", "data.l[size(data.l) - 1] in [1, 2, -3]"],
  ["float(data_to_dict['a']) * 2 > len(data_to_dict['l'])", "double(data.a) * 2 > size(data.l)"],
  ["data_to_dict['n'].startswith('press-')", 'data.n.startsWith("press-")'],
])("reads %s", (python, cel) => {
  expect(celOfPython(python)).toBe(cel);
});

it.each([
  "__import__('os').system('x')",
  "data_to_dict['a'].pop('b')",
  "open('/etc/passwd')",
  "a == 1",
  "lambda: 1",
  "data_to_dict['a'",
  "'a' = 1",
  "f'{x}' == 1",
  "data_to_dict[len([])]",
  "1 if True else 2",
  "[x for x in data_to_dict]",
  `${"(".repeat(100)}1${")".repeat(100)}`,
  "data_to_dict['a'] not 5",
  "'\\x41' == 1",
])("refuses %s", (python) => {
  expect(() => celOfPython(python)).toThrow(/.+/);
});
