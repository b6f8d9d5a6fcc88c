/**
 * A plant without a broker: devices at the embedded one, two rules, and two models from zips, one a function and one an
 * ONNX file. The rule file changes while the daemon runs.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { executable } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";
import { type MqttDaemon, startMqttDaemon } from "../support/mqtt-rig.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";
import { tinyZip } from "../support/tiny-zip.ts";

const models = mkdtempSync(join(tmpdir(), "spillway-plant-"));

/** A model that is a function: whether a point is above its bound. */
function wearZip(bound: number): Buffer {
  const handler = `
    export const inputs = [{ name: "points", datatype: "FP32", shape: [-1, 2] }];
    export const outputs = [{ name: "worn", datatype: "FP32", shape: [-1, 1] }];
    export function preprocess([points], { numbers, numberTensor }) {
      const all = numbers(points);
      const rows = points.shape[0];
      const worn = Array.from({ length: rows }, (_, row) => (all[2 * row] > ${bound} ? 1 : 0));
      return { inputs: [numberTensor("worn", "FP32", [rows, 1], worn)] };
    }`;
  return tinyZip([{ name: "handler.js", content: Buffer.from(handler) }]);
}

/** An ONNX file that doubles its values. */
function heatOnnx(): Buffer {
  const tensor = (name: string) => ({ name, datatype: "FP32" as const, shape: [-1, 2] });
  return tinyOnnx([tensor("x")], [{ op: "Add", inputs: ["x", "x"], output: "y" }], [tensor("y")]);
}

const zips = new Map([
  ["/wear.zip", wearZip(80)],
  ["/heat.zip", tinyZip([{ name: "model.onnx", content: heatOnnx() }])],
]);
const sha256 = (path: string): string =>
  createHash("sha256")
    .update(zips.get(path) ?? "")
    .digest("hex");
const server = createServer((request, response) => {
  const zip = zips.get(request.url ?? "");
  response.writeHead(zip === undefined ? 404 : 200).end(zip);
});

function rules(port: number, wearSum = sha256("/wear.zip"), more = ""): string {
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return `
brokers: [{ name: plant, url: "embedded://127.0.0.1:${port}" }]
rules:
  - name: wear
    from: { broker: plant, topic: plant/+/+ }
    when: data.deviceInfo.deviceName == "压机7" && "stroke_peak" in data.telemetry
    device: data.deviceInfo.deviceName
    model: { name: wear, zip: "${at}/wear.zip", sha256: "${wearSum}" }
    inputs: [{ name: points, values: [data.telemetry.stroke_peak, { path: 'data.telemetry["湿度"]', text: true }], shape: [1, 2] }]
    publish: { topic: "results/\${device}/wear", payload: { id: "\${id}", worn: "\${outputs.worn[0][0]}" } }
  - name: heat
    from: { broker: plant, topic: plant/# }
    device: data.deviceInfo.deviceName
    model: { name: heat, zip: "${at}/heat.zip", sha256: "${sha256("/heat.zip")}" }
    inputs: [{ name: x, values: ['data.telemetry["温度"]', data.telemetry.stroke_peak], shape: [1, 2] }]
    publish: { topic: "results/\${device}/heat", payload: { id: "\${id}", y: "\${outputs.y[0]}" } }
${more}`;
}

const sample = {
  deviceInfo: { deviceName: "压机7", edgeDeviceName: "press-7", topic: "plant/1/press-7" },
  telemetry: { ts: 1_796_000_000_123, stroke_peak: 91.5, 温度: 40, 湿度: "55" },
};

let edge: RunningEdge;
let daemon: MqttDaemon;
let device: MqttClient;
let port = 0;
const heard: { topic: string; payload: Record<string, unknown> }[] = [];

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  [port = 0] = await freePorts(1);
  // An edge is not started without any model.
  writeFileSync(join(models, "first.onnx"), heatOnnx());
  edge = await startEdge("--models", models, "--model-hosts", "127.0.0.1");
  daemon = await startMqttDaemon(rules(port), edge.url);
  device = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 50 });
  device.on("message", (topic, payload) => {
    heard.push({ topic, payload: JSON.parse(payload.toString()) as Record<string, unknown> });
  });
  await device.subscribeAsync("results/#", { qos: 1 });
}, 120_000);

afterAll(async () => {
  await device?.endAsync(true);
  await daemon?.stop();
  await edge?.stop();
  server.close();
  rmSync(models, { recursive: true, force: true });
});

const send = (message: object, topic = "plant/1/press-7"): Promise<unknown> =>
  device.publishAsync(topic, JSON.stringify(message), { qos: 1 });

/** As an editor does it. */
function change(text: string): void {
  writeFileSync(`${daemon.file}.new`, text);
  renameSync(`${daemon.file}.new`, daemon.file);
}

const versions = (model: string): string[] =>
  readdirSync(join(models, model)).filter((name) => /^\d+$/.test(name));

describe("a plant", { tags: ["slow"], timeout: 120_000 }, () => {
  it("has its models installed before its rules start", () => {
    expect([versions("wear"), versions("heat")]).toEqual([["1"], ["1"]]);
    expect(daemon.log()).toMatch(/"model":"wear".*model of a rule is installed/);
  });

  it("sends one message through two rules to two models", async () => {
    await send(sample);
    await expect.poll(() => heard.length).toBe(2);
    const byTopic = new Map(heard.map(({ topic, payload }) => [topic, payload]));
    expect(byTopic.get("results/压机7/wear")).toMatchObject({ worn: 1 });
    expect(byTopic.get("results/压机7/heat")).toMatchObject({ y: [80, 183] });
    heard.length = 0;
  });

  it("tells what waits, in the names that its operators know", async () => {
    expect(await daemon.get("/queue_size_metrics")).toEqual({
      queue_size_metrics: [
        { sub_process_name: "wear", pre_queue: 0, post_queue: 0 },
        { sub_process_name: "heat", pre_queue: 0, post_queue: 0 },
      ],
      pre_queue: 0,
      post_queue: 0,
    });
    const metrics = await (await fetch(`${daemon.url()}/metrics`)).text();
    expect(metrics).toContain('spillway_mqtt_messages_total{rule="wear",end="answered"} 1');
    expect(metrics).toContain('spillway_mqtt_waiting_messages{rule="heat",stage="before"} 0');
    expect(metrics).toContain('spillway_mqtt_connected{broker="plant"} 1');
  });

  it("serves the schema of the rule file, from which a form can be drawn", async () => {
    const schema = await daemon.get<{
      $schema: string;
      properties: { rules: { items: { properties: object } } };
    }>("/admin/mqtt/schema");
    expect(schema.$schema).toContain("draft-07");
    expect(schema.properties.rules.items.properties).toMatchObject({
      when: { title: expect.any(String) as string, description: expect.any(String) as string },
    });
  });

  it("installs a model again when its checksum changes, and loses no message meanwhile", async () => {
    let sent = 0;
    const over = new AbortController();
    const sending = (async () => {
      while (!over.signal.aborted) {
        await send(sample);
        sent++;
      }
    })();
    zips.set("/wear.zip", wearZip(100));
    change(rules(port));
    await expect.poll(() => heard.some(({ payload }) => payload["worn"] === 0)).toBe(true);
    over.abort();
    await sending;
    await expect.poll(() => heard.length).toBe(2 * sent);
    expect(heard.filter(({ payload }) => payload["error"] !== undefined)).toEqual([]);
    expect(versions("wear")).toEqual(["1", "2"]);
    expect(versions("heat")).toEqual(["1"]);
    heard.length = 0;
  });

  it("takes a new rule while it runs, and leaves everything as it is for a file that cannot be used", async () => {
    const shout = `
  - name: all
    from: { broker: plant, topic: other/+ }
    model: heat
    inputs: [{ name: x, values: [data.a, data.b], shape: [1, 2] }]
    publish: { topic: results/all }`;
    change(rules(port, undefined, shout));
    await expect
      .poll(() => daemon.log())
      .toMatch(/"changed":\["all"\],"removed":\[\].*rules as the file has them/);
    await send({ a: 1, b: 2 }, "other/x");
    await expect.poll(() => heard.map(({ topic }) => topic)).toEqual(["results/all"]);
    change(rules(port, undefined, shout).replace("model: heat", "modle: heat"));
    await expect.poll(() => daemon.log()).toMatch(/modle.*the rule file is not used; all stays/);
    await send({ a: 1, b: 2 }, "other/x");
    await expect.poll(() => heard.length).toBe(2);
    heard.length = 0;
    change(rules(port));
    await expect.poll(() => daemon.log()).toMatch(/"removed":\["all"\]/);
  });

  it("installs nothing again when the daemon is started again", async () => {
    await daemon.kill();
    await daemon.start();
    expect([versions("wear"), versions("heat")]).toEqual([["1", "2"], ["1"]]);
    await send(sample);
    await expect.poll(() => heard.length).toBe(2);
  });

  it("answers a load of devices, which says how long that takes", async () => {
    change(
      rules(port).replaceAll("    model: { name: heat", "    requestId: data.id\n    model: { name: heat"),
    );
    await expect.poll(() => daemon.log()).toMatch(/"changed":\["heat"\]/);
    const payload =
      '{"id":"${id}","deviceInfo":{"deviceName":"${device}"},"telemetry":{"温度":1,"stroke_peak":${int(1,9)}}}';
    const where = ["--url", `mqtt://127.0.0.1:${port}`, "--topic", "plant/1/${device}", "--payload", payload];
    const how = [
      "--results",
      "results/${device}/heat",
      "--messages",
      "20",
      "--queue",
      daemon.url(),
      "--json",
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [
      executable,
      "mqtt",
      "load",
      ...where,
      ...how,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ answered: 20, errors: {}, strange: 0, twice: 0 });
    heard.length = 0;
  });

  it("says why a model is not installed, and does not start its rule", async () => {
    const wrong = "0".repeat(64);
    change(rules(port, wrong).replaceAll("name: wear,", "name: other,"));
    await expect
      .poll(() => daemon.log())
      .toMatch(/"model":"other".*expected 0{64}.*model of a rule is not installed/);
    const { rules: told } = await daemon.get<{ rules: { rule: string; isReady: boolean }[] }>("/admin/mqtt");
    expect(told.map(({ rule, isReady }) => [rule, isReady])).toEqual([
      ["wear", false],
      ["heat", true],
    ]);
  });
});
