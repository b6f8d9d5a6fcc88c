/** Messages in the forms that devices of several makes and programs send, each taken by a rule that a user would write. */
import { expect, it } from "vitest";
import {
  bytesIn,
  compiledRule,
  compiledRules,
  faultOf,
  numbersIn,
  plantMessage,
  publicationFor,
  requestFor,
  textsIn,
} from "../../../../../test/support/mqtt-rules.ts";

interface Kind {
  readonly name: string;
  readonly topic: string;
  readonly payload: unknown;
  readonly rule: object;
  readonly values: readonly number[];
  readonly device: string;
}

const kinds: readonly Kind[] = [
  {
    name: "a plug of Tasmota, whose name is in the topic",
    topic: "tele/plug-4/SENSOR",
    payload:
      '{"Time":"2026-11-30T12:00:00","ENERGY":{"Power":41,"Voltage":231,"Current":0.18},"DHT11":{"Temperature":null}}',
    rule: {
      from: { broker: "plant", topic: "tele/+/SENSOR" },
      when: "has(data.ENERGY.Power)",
      device: "topic[1]",
      inputs: [
        {
          name: "x",
          values: [
            "data.ENERGY.Power",
            "data.ENERGY.Voltage",
            { path: "data.DHT11.Temperature", default: 20 },
          ],
        },
      ],
    },
    values: [41, 231, 20],
    device: "plug-4",
  },
  {
    name: "a sensor behind Zigbee2MQTT, with words for states",
    topic: "zigbee2mqtt/hall/door sensor",
    payload: {
      battery: 97,
      contact: false,
      linkquality: 120,
      state: "OPEN",
      last_seen: "2026-11-30T12:00:00+01:00",
    },
    rule: {
      from: { broker: "plant", topic: "zigbee2mqtt/#" },
      when: 'topic[topic.size() - 1] != "availability"',
      device: "topic[-1]",
      inputs: [
        {
          name: "x",
          values: [
            "data.battery",
            { path: "data.contact", map: { true: 1, false: 0 } },
            { path: "data.state", map: { OPEN: 1, CLOSED: 0 } },
          ],
        },
      ],
    },
    values: [97, 0, 1],
    device: "door sensor",
  },
  {
    name: "a meter of Shelly, by notifications",
    topic: "shellypro3em-0a/events/rpc",
    payload: {
      src: "shellypro3em-0a",
      dst: "shellypro3em-0a/events",
      method: "NotifyStatus",
      params: { ts: 1796000000.12, "em:0": { a_act_power: 101.5, b_act_power: -3, c_act_power: 0 } },
    },
    rule: {
      from: { broker: "plant", topic: "+/events/rpc" },
      when: 'data.method == "NotifyStatus" && "em:0" in data.params',
      device: "data.src",
      inputs: [
        { name: "x", values: ["a", "b", "c"].map((phase) => `data.params["em:0"].${phase}_act_power`) },
      ],
    },
    values: [101.5, -3, 0],
    device: "shellypro3em-0a",
  },
  {
    name: "an uplink of ChirpStack, whose bytes are in base64",
    topic: "application/1/device/a8404100000000/event/up",
    payload: {
      deduplicationId: "3f0c",
      deviceInfo: { applicationName: "tanks", deviceName: "tank-7", devEui: "a8404100000000" },
      fCnt: 4711,
      fPort: 2,
      data: Buffer.from([1, 2, 250, 4]).toString("base64"),
      rxInfo: [
        { gatewayId: "g1", rssi: -97, snr: 7.2 },
        { gatewayId: "g2", rssi: -110 },
      ],
    },
    rule: {
      from: { broker: "plant", topic: "application/+/device/+/event/up" },
      when: "data.fPort == 2 && data.rxInfo.exists(r, r.rssi > -100)",
      device: "data.deviceInfo.deviceName",
      windows: { same: "data.deduplicationId" },
      inputs: [{ name: "x", datatype: "UINT8", shape: [1, 4], base64: "data.data" }],
    },
    values: [1, 2, 250, 4],
    device: "tank-7",
  },
  {
    name: "metrics by name, as Sparkplug has them in JSON",
    topic: "spBv1.0/plant/DDATA/node-1/oven-3",
    payload: {
      timestamp: 1_796_000_000_000,
      seq: 12,
      metrics: [
        { name: "Zone 1/Temp", dataType: "Float", value: 181.5 },
        { name: "Door", dataType: "Boolean", value: true },
        { name: "Count", dataType: "Int64", value: "9007199254740993" },
      ],
    },
    rule: {
      from: { broker: "plant", topic: "spBv1.0/+/DDATA/+/+" },
      device: "topic[4]",
      inputs: [
        {
          name: "x",
          datatype: "FP64",
          values: [
            'data.metrics[name="Zone 1/Temp"].value',
            { path: "data.metrics[name=Door].value", map: { true: 1, false: 0 } },
            { path: "data.seq", scale: 0.5 },
          ],
        },
      ],
    },
    values: [181.5, 1, 6],
    device: "oven-3",
  },
  {
    name: "a water meter whose numbers are texts",
    topic: "watermeter/main/json",
    payload: { value: "317.3988", raw: "00317.3988", rate: "0.000330", error: "no error" },
    rule: {
      from: { broker: "plant", topic: "+/main/json" },
      when: 'data.error == "no error"',
      device: "topic[0]",
      inputs: [
        {
          name: "x",
          datatype: "FP64",
          values: ["value", "raw", "rate"].map((key) => ({ path: `data.${key}`, text: true })),
        },
      ],
    },
    values: [317.3988, 317.3988, 0.00033],
    device: "watermeter",
  },
  {
    name: "a state of Home Assistant, a number and nothing else",
    topic: "homeassistant/sensor/boiler/state",
    payload: "61.5",
    rule: {
      from: { broker: "plant", topic: "homeassistant/sensor/+/state" },
      device: "topic[2]",
      inputs: [{ name: "x", values: ["data"] }],
    },
    values: [61.5],
    device: "boiler",
  },
];

it.each(kinds)("takes $name", ({ topic, payload, rule, values, device }) => {
  const compiled = compiledRule({ publish: { topic: "out/${device}" }, ...rule });
  const message = plantMessage(payload, { topic });
  expect(compiled.matches(message)).toBe(true);
  const request = requestFor(compiled, message);
  expect([numbersIn(request), request.device]).toEqual([values, device]);
  expect(publicationFor(compiled, message).topic).toBe(`out/${device}`);
});

it("leaves words like online to the rule that is made for them, beside rules for JSON", () => {
  const { rules } = compiledRules([
    { when: "has(data.x)" },
    { payload: { format: "text" }, inputs: [{ name: "x", datatype: "BYTES", values: ["data"] }] },
  ]);
  const online = plantMessage("online");
  expect(textsIn(requestFor(rules[1]!, online))).toEqual(["online"]);
  expect(faultOf(rules[0]!, online)).toMatch(/^not_json: /);
});

it("reads JSON with a byte order mark, with members that come twice, and with bare NaN", () => {
  const rule = compiledRule({ inputs: [{ name: "x", values: ["data.x", { path: "data.y", default: -1 }] }] });
  expect(numbersIn(requestFor(rule, plantMessage('\ufeff{"x": 1, "x": 2, "y": NaN}')))).toEqual([2, -1]);
});

it("takes a picture of a camera as it comes", () => {
  const rule = compiledRule({
    from: { broker: "plant", topic: "cams/+/jpeg" },
    payload: { format: "bytes", mostBytes: 1_000_000 },
    inputs: [{ name: "image", datatype: "BYTES", payload: true }],
  });
  const picture = Buffer.alloc(200_000, 0xd8);
  const given = bytesIn(requestFor(rule, plantMessage(picture, { topic: "cams/7/jpeg" })));
  expect(given.equals(picture)).toBe(true);
});
