/** What is tried on daemons and brokers while devices send: kills and restarts, after which nothing may be missing. */
import { expect } from "vitest";
import { doublingServer } from "./doubling-server.ts";
import { freePorts } from "./free-ports.ts";
import { startMosquitto } from "./mosquitto.ts";
import {
  type Device,
  doubleRules,
  missingOf,
  type MqttDaemon,
  sendAll,
  startDevice,
  startMqttDaemon,
} from "./mqtt-rig.ts";

export interface OutageCase {
  /** Messages in all. */
  readonly count: number;
  /** The daemon is killed each time that so many results are there. */
  readonly killsAt: readonly number[];
}

const patience = { timeout: 120_000 };
const atOnce = 32;

/** Kills the daemon with -9 while a device sends over mosquitto. Returns how many results came more than once. */
export async function killedDaemon({ count, killsAt }: OutageCase, version: string): Promise<number> {
  const mosquitto = await startMosquitto();
  const broker = `[{ name: plant, url: "${mosquitto.url}", version: "${version}" }]`;
  return withDaemon(broker, async (daemon) => {
    const device = await startDevice(mosquitto.url, "d", { protocolVersion: version === "5" ? 5 : 4 });
    await sentThrough(device, count, () => killed(daemon, device, killsAt));
    await mosquitto.stop();
    return timesTwice(device);
  });
}

/** Kills the daemon and the broker within it. */
export async function killedWithBroker({ count, killsAt }: OutageCase): Promise<void> {
  const [port = 0] = await freePorts(1);
  await withDaemon(`[{ name: plant, url: "embedded://127.0.0.1:${port}" }]`, async (daemon) => {
    const device = await startDevice(`mqtt://127.0.0.1:${port}`, "d", { protocolVersion: 4 });
    await sentThrough(device, count, () => killed(daemon, device, killsAt));
  });
}

/** Restarts mosquitto by SIGTERM when so many results are there. */
export async function restartedBroker(count: number, at: number, version: string): Promise<void> {
  const mosquitto = await startMosquitto({ persistence: true });
  const broker = `[{ name: plant, url: "${mosquitto.url}", version: "${version}" }]`;
  await withDaemon(broker, async (daemon) => {
    const device = await startDevice(mosquitto.url, "d", { protocolVersion: version === "5" ? 5 : 4 });
    await sentThrough(device, count, async () => {
      await expect.poll(() => device.results.size, patience).toBeGreaterThan(at);
      await mosquitto.restart("SIGTERM");
    });
    expect(daemon.log()).toContain("no connection to the broker");
    await mosquitto.stop();
  });
}

async function withDaemon<T>(broker: string, run: (daemon: MqttDaemon) => Promise<T>): Promise<T> {
  const edge = await doublingServer({ serviceMs: () => 2 });
  const daemon = await startMqttDaemon(doubleRules(broker), edge.url);
  try {
    return await run(daemon);
  } finally {
    await daemon.stop();
    edge.close();
  }
}

/** Every message has a result, whatever happens while they are sent. */
async function sentThrough(device: Device, count: number, outages: () => Promise<void>): Promise<void> {
  const sending = sendAll(device, count, atOnce);
  await outages();
  await sending;
  await expect.poll(() => missingOf(device, count), patience).toBe(0);
  expect(device.errors).toEqual([]);
  await device.end();
}

async function killed(daemon: MqttDaemon, device: Device, killsAt: readonly number[]): Promise<void> {
  for (const at of killsAt) {
    await expect.poll(() => device.results.size, patience).toBeGreaterThan(at);
    await daemon.kill();
    await daemon.start();
  }
}

function timesTwice({ results }: Device): number {
  return [...results.values()].filter((times) => times > 1).length;
}
