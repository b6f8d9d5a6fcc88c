import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCutProxy } from "../../../../../test/support/cut-proxy.ts";
import { type Mosquitto, startMosquitto, whyNoMosquitto } from "../../../../../test/support/mosquitto.ts";
import { type BrokerConfig, brokerFields } from "../rules/config/broker-fields.ts";
import type { MqttMessage } from "../rules/message.ts";
import { ExternalBroker } from "./external-broker.ts";

const names = { last: 0 };

interface Rig {
  readonly link: ExternalBroker;
  readonly taken: string[];
  readonly log: string[];
}

type Work = (message: MqttMessage, link: ExternalBroker) => Promise<boolean>;

/** A link whose messages are done when `work` says so. */
function rig(config: Partial<BrokerConfig> & { readonly url: string }, work: Work, mostBytes = 2 ** 26): Rig {
  const taken: string[] = [];
  const log: string[] = [];
  const clientId = `link-${process.pid}-${++names.last}`;
  const link = new ExternalBroker({
    config: brokerFields.parse({ name: "plant", clientId, ...config }),
    env: {},
    events: {
      take: (message) => {
        taken.push(text(message.payload));
        return work(message, link);
      },
      waits: () => () => {},
      onDropped: () => {},
      onSlowPublish: () => {},
    },
    mostBytes,
    log: pino({}, { write: (line: string) => void log.push(line) }),
  });
  return { link, taken, log };
}

const atOnce: Work = () => Promise.resolve(true);

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function publication(topic: string, payload: Uint8Array) {
  const common = { broker: "plant", qos: 1, retain: false, properties: {}, timeoutMs: 5_000 } as const;
  return { ...common, topic, payload };
}

async function subscribed(link: ExternalBroker, ...topics: string[]): Promise<void> {
  link.follow(topics.map((topic) => ({ broker: "plant", topic, qos: 1 })));
  await expect.poll(() => link.status().subscribed).toEqual(topics);
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);

describe.skipIf(whyNoMosquitto !== undefined)("a link to mosquitto", { tags: ["slow"] }, () => {
  let mosquitto: Mosquitto;
  let device: MqttClient;
  beforeAll(async () => {
    mosquitto = await startMosquitto();
    device = await connectAsync(mosquitto.url);
  });
  afterAll(async () => {
    await device.endAsync();
    await mosquitto.stop();
  });

  it.for(["5", "3.1.1"] as const)(
    "works on many messages at once and publishes on the same connection (MQTT %s)",
    async (version) => {
      let [now, most] = [0, 0];
      const { link } = rig({ url: mosquitto.url, version, maxInFlight: 16 }, async ({ payload }) => {
        most = Math.max(most, ++now);
        await delay(5);
        await link.publish(publication(`out/${version}`, payload));
        now--;
        return true;
      });
      await subscribed(link, `in/${version}`);
      const results: string[] = [];
      device.on("message", (topic, payload) => {
        if (topic === `out/${version}`) results.push(text(payload));
      });
      await device.subscribeAsync(`out/${version}`, { qos: 1 });
      await Promise.all(numbered(100).map((each) => device.publishAsync(`in/${version}`, each, { qos: 1 })));
      await expect.poll(() => results.length).toBe(100);
      expect(new Set(results)).toEqual(new Set(numbered(100)));
      expect(most).toBe(16);
      expect(link.status()).toMatchObject({ isConnected: true, inWork: 0, unpublished: 0, bytes: 0 });
      await link.close();
    },
  );

  it.for(["5", "3.1.1"] as const)(
    "a connection that breaks starts nothing twice, and what is done meanwhile is acknowledged on the next (MQTT %s)",
    async (version) => {
      const proxy = await startCutProxy(mosquitto.port);
      const clientId = `breaks-${version}`;
      const waiting: (() => void)[] = [];
      const url = `mqtt://127.0.0.1:${proxy.port}`;
      const { link, taken } = rig({ url, version, maxInFlight: 8, clientId }, async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return true;
      });
      await subscribed(link, clientId);
      for (const each of numbered(12)) await device.publishAsync(clientId, each, { qos: 1 });
      await expect.poll(() => taken.length).toBe(8);
      proxy.isClosed = true;
      proxy.cut();
      await expect.poll(() => link.status().isConnected).toBe(false);
      // Those in the middle are done while nobody can be told.
      for (const done of waiting.slice(2, 6)) done();
      proxy.isClosed = false;
      await expect.poll(() => link.status().isConnected).toBe(true);
      for (let done = 0; done < 12; done++) {
        await expect.poll(() => waiting.length).toBeGreaterThan(done);
        waiting[done]?.();
      }
      await expect.poll(() => link.status()).toMatchObject({ inWork: 0, waiting: 0, bytes: 0, connects: 2 });
      expect(taken).toEqual(numbered(12));
      await link.close();
      await proxy.stop();
      // The broker has an acknowledgement of each: whoever comes by that name gets what is new alone.
      const left: string[] = [];
      const next = rig({ url: mosquitto.url, version, clientId }, ({ payload }) => {
        left.push(text(payload));
        return Promise.resolve(true);
      });
      await device.publishAsync(clientId, "new", { qos: 1 });
      await expect.poll(() => left).toEqual(["new"]);
      await next.link.close();
    },
  );

  it("of a broker that sends more than there is room for, the rest is fetched by a new connection", async () => {
    const later: Work = () => delay(2, true);
    const { link, taken, log } = rig({ url: mosquitto.url, version: "3.1.1", maxInFlight: 4 }, later, 20_000);
    await subscribed(link, "much");
    const sent = numbered(60).map((each) => `${each} ${"x".repeat(1_000)}`);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, link.status().bytes)), 1);
    await Promise.all(sent.map((each) => device.publishAsync("much", each, { qos: 1 })));
    await expect.poll(() => taken.length).toBe(60);
    clearInterval(watch);
    expect(new Set(taken)).toEqual(new Set(sent));
    expect(most).toBeLessThanOrEqual(20_000);
    expect(link.status().connects).toBeGreaterThan(1);
    expect(log.join("")).toContain("sends more than there is room for");
    await link.close();
  });

  it("subscriptions that stay are not made again, those that go are ended", async () => {
    const { link, log } = rig({ url: mosquitto.url }, atOnce);
    await subscribed(link, "stays", "goes");
    await subscribed(link, "stays", "comes");
    await expect.poll(() => log.filter((line) => line.includes("unsubscribed")).length).toBe(1);
    expect(log.filter((line) => line.includes('"stays"')).length).toBe(1);
    await link.close();
  });

  it("results wait while the broker is away, and go out when it is back", async () => {
    const proxy = await startCutProxy(mosquitto.port);
    proxy.isClosed = true;
    const { link } = rig({ url: `mqtt://127.0.0.1:${proxy.port}` }, atOnce);
    const results: string[] = [];
    device.on("message", (topic, payload) => {
      if (topic === "later") results.push(text(payload));
    });
    await device.subscribeAsync("later", { qos: 1 });
    const published = link.publish(publication("later", Buffer.from("x")));
    await expect.poll(() => link.status().why).toContain("closed");
    expect(link.status().unpublished).toBe(1);
    proxy.isClosed = false;
    await published;
    await expect.poll(() => results).toEqual(["x"]);
    await link.close();
    await proxy.stop();
  });

  it("messages that wait when the daemon stops are left to the next one", async () => {
    const waiting: (() => void)[] = [];
    const first = rig({ url: mosquitto.url, clientId: "stops", maxInFlight: 2 }, async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return true;
    });
    await subscribed(first.link, "stops");
    await Promise.all(numbered(5).map((each) => device.publishAsync("stops", each, { qos: 1 })));
    await expect.poll(() => waiting.length).toBe(2);
    first.link.retire();
    for (const done of waiting) done();
    await expect.poll(() => first.link.status().inWork).toBe(0);
    await first.link.close();
    const next = rig({ url: mosquitto.url, clientId: "stops" }, atOnce);
    await expect.poll(() => next.taken.length).toBe(3);
    expect(new Set([...first.taken, ...next.taken])).toEqual(new Set(numbered(5)));
    await next.link.close();
  });
});

describe("a link to nobody", () => {
  it("says why there is no connection, once, and goes on trying", async () => {
    const proxy = await startCutProxy(1);
    const { port } = proxy;
    await proxy.stop();
    const { link, log } = rig({ url: `mqtt://127.0.0.1:${port}` }, atOnce);
    await expect.poll(() => link.status().why).toBe("nothing listens there (ECONNREFUSED)");
    await delay(1_200);
    expect(log.filter((line) => line.includes("no connection to the broker")).length).toBe(1);
    await link.close();
  });
});
