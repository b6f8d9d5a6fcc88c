import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync } from "mqtt";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import type { MqttMessage } from "../rules/message.ts";
import { EmbeddedBroker, type EmbeddedBrokerOptions } from "./embedded-broker.ts";

type Work = (message: MqttMessage) => Promise<boolean>;

const open: EmbeddedBroker[] = [];
afterEach(() => Promise.all(open.splice(0).map((broker) => broker.close())));

async function rig(work: Work = () => Promise.resolve(true), options: Partial<EmbeddedBrokerOptions> = {}) {
  const taken: string[] = [];
  const log: string[] = [];
  const broker = await EmbeddedBroker.open({
    name: "here",
    host: "127.0.0.1",
    port: 0,
    mostAtOnce: 16,
    mostBytes: 2 ** 26,
    events: {
      take: (message) => {
        taken.push(Buffer.from(message.payload).toString());
        return work(message);
      },
      waits: () => () => {},
      onDropped: () => {},
      onSlowPublish: () => {},
    },
    log: pino({}, { write: (line: string) => void log.push(line) }),
    ...options,
  });
  open.push(broker);
  broker.follow([{ broker: "here", topic: "devices/+/in", qos: 1 }]);
  return { broker, url: broker.status().url, taken, log };
}

const publication = (topic: string, payload: string) => {
  const common = { broker: "here", qos: 1, retain: false, properties: {}, timeoutMs: 1_000 } as const;
  return { ...common, topic, payload: Buffer.from(payload) };
};

it("a device is told that its message came when the result is out, and not before", async () => {
  let finish = (): void => {};
  const { url } = await rig(() => new Promise((resolve) => (finish = () => resolve(true))));
  const device = await connectAsync(url);
  let isTold = false;
  const told = device.publishAsync("devices/d/in", "x", { qos: 1 }).then(() => (isTold = true));
  await delay(100);
  expect(isTold).toBe(false);
  finish();
  await told;
  await device.endAsync();
});

it("messages that no rule asks for pass at once", async () => {
  const { url, taken } = await rig(() => new Promise(() => {}));
  const device = await connectAsync(url);
  await device.publishAsync("elsewhere", "x", { qos: 1 });
  expect(taken).toEqual([]);
  await device.endAsync();
});

it("works on messages of many devices at once, and of each QoS", async () => {
  const { url, taken } = await rig();
  const devices = await Promise.all(Array.from({ length: 20 }, () => connectAsync(url)));
  await Promise.all(
    devices.flatMap((device, index) =>
      ([0, 1, 2] as const).map((qos) =>
        device.publishAsync(`devices/${index}/in`, `${index} ${qos}`, { qos }),
      ),
    ),
  );
  await expect.poll(() => new Set(taken).size).toBe(60);
  expect(taken.length).toBe(60);
  await Promise.all(devices.map((device) => device.endAsync()));
});

it("a result goes to its subscriber", async () => {
  const { broker, url } = await rig();
  const device = await connectAsync(url);
  await device.subscribeAsync("results/d", { qos: 1 });
  const heard = new Promise<[string, Buffer]>((resolve) => {
    device.once("message", (topic, payload) => resolve([topic, payload]));
  });
  await broker.publish(publication("results/d", "answer"));
  const [topic, payload] = await heard;
  expect([topic, payload.toString()]).toEqual(["results/d", "answer"]);
  await device.endAsync();
});

it("a device that comes back and sends again does not start its message twice", async () => {
  const finish: (() => void)[] = [];
  const { url, taken } = await rig(() => new Promise((resolve) => finish.push(() => resolve(true))));
  const device = await connectAsync(url, { clientId: "d", clean: false, reconnectPeriod: 20 });
  const told = device.publishAsync("devices/d/in", "x", { qos: 1 });
  await expect.poll(() => taken.length).toBe(1);
  const closed = new Promise<void>((resolve) => device.once("close", resolve));
  device.stream.destroy();
  await closed;
  await expect.poll(() => device.connected).toBe(true);
  await delay(100);
  expect(taken).toEqual(["x"]);
  finish[0]?.();
  await told;
  await device.endAsync();
});

it("what has not begun when the daemon stops is not acknowledged", async () => {
  const { broker, url, taken } = await rig(() => new Promise(() => {}), { mostAtOnce: 1 });
  const device = await connectAsync(url, { reconnectPeriod: 0 });
  const told: string[] = [];
  for (const each of ["a", "b"])
    void device.publishAsync("devices/d/in", each, { qos: 1 }).then(
      () => told.push(each),
      () => {},
    );
  await expect.poll(() => taken.length).toBe(1);
  broker.retire();
  await delay(50);
  expect([taken, told]).toEqual([["a"], []]);
  await device.endAsync(true);
});

it("shared subscriptions are refused: to devices, and to rules with what to do", async () => {
  const { broker, url, log } = await rig();
  const device = await connectAsync(url);
  await expect(device.subscribeAsync("$share/g/devices/+/in", { qos: 1 })).rejects.toThrow(/Subscribe error/);
  expect(log.join("")).toContain("a shared subscription is refused");
  expect(() => broker.follow([{ broker: "here", topic: "$share/g/devices/+/in", qos: 1 }])).toThrow(
    "broker here: topic $share/g/devices/+/in is a shared subscription, which the embedded broker does not have",
  );
  await device.endAsync();
});

it("a device with MQTT 5 is refused, and the log says why", async () => {
  const { url, log } = await rig();
  await expect(connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 })).rejects.toThrow();
  expect(log.join("")).toContain("the embedded broker speaks 3.1.1 alone");
});

it("devices need the user and the password where there are some", async () => {
  const { url } = await rig(undefined, { user: "plant", password: "secret" });
  const device = await connectAsync(url, { username: "plant", password: "secret" });
  await device.endAsync();
  await expect(
    connectAsync(url, { username: "plant", password: "guess", reconnectPeriod: 0 }),
  ).rejects.toThrow(/Bad username or password/);
  await expect(connectAsync(url, { reconnectPeriod: 0 })).rejects.toThrow(/Bad username or password/);
});

it("a device that announces a packet of 200 MB is turned away before it sends it", async () => {
  const { url, log } = await rig();
  const socket = connectSocket(Number(new URL(url).port), "127.0.0.1");
  const closed = once(socket, "close");
  socket.on("error", () => {});
  socket.write(Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f, 0x00]));
  await closed;
  expect(log.join("")).toContain("a packet has more than 67108864 bytes");
});

it.for(["", "a/#", "$SYS/x", "a/+/b"])("nothing is published to the topic %j", async (topic) => {
  const { broker } = await rig();
  await expect(broker.publish(publication(topic, "x"))).rejects.toThrow(/the topic cannot be published to/);
});

it("says that another broker may have its port", async () => {
  const { url } = await rig();
  const port = Number(new URL(url).port);
  await expect(rig(undefined, { port })).rejects.toThrow(
    `broker here: port ${port} of 127.0.0.1 is in use; another broker may run there`,
  );
});
