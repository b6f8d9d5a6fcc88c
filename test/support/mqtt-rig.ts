/** A daemon that serves devices over MQTT as a process, which can be killed and started again, and devices that count. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { type RunningProgram, startProgram } from "../contract/running-program.ts";

export interface MqttDaemon {
  /** Its rule file. */
  readonly file: string;
  /** Of the daemon of now. */
  url(): string;
  log(): string;
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What a path of the daemon answers, as JSON. */
  get<T>(path: string): Promise<T>;
}

/** @param rules text of the rule file; @param edge URL of a model server */
export async function startMqttDaemon(
  rules: string,
  edge: string,
  flags: readonly string[] = [],
): Promise<MqttDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-mqtt-"));
  const file = join(folder, "rules.yaml");
  writeFileSync(file, rules);
  let program: RunningProgram | undefined;
  let log = "";
  const start = async (): Promise<void> => {
    const fast = ["--no-serverless", "--policy", "fixed", "--timeout", "0.005", "--calibrate", "0"];
    const started = await startProgram("vqueue", ["--edge", edge, "--mqtt", file, ...fast, ...flags]);
    program = started;
    // A broker keeps nothing for those who have never been subscribed.
    while (!(await isSubscribed(started.url))) await delay(20);
  };
  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = program;
    program = undefined;
    if (ending === undefined) return;
    const close = once(ending.child, "close");
    ending.child.kill(signal);
    await close;
    log += ending.log();
  };
  await start();
  return {
    file,
    url: () => program?.url ?? "",
    log: () => log + (program?.log() ?? ""),
    kill: () => ended("SIGKILL"),
    start,
    stop: async () => {
      await ended("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
    get: async <T>(path: string) => (await (await fetch(`${program?.url}${path}`)).json()) as T,
  };
}

async function isSubscribed(url: string): Promise<boolean> {
  const { brokers } = (await (await fetch(`${url}/admin/mqtt`)).json()) as {
    readonly brokers: readonly { readonly subscribed: readonly string[] }[];
  };
  return brokers.every(({ subscribed }) => subscribed.length > 0);
}

/** Rules of the model `double`, whose input is the number of the message. */
export function doubleRules(brokers: string, more = ""): string {
  return `
brokers: ${brokers}
rules:
  - name: double
    from: { broker: plant, topic: devices/+/telemetry }
    device: topic[1]
    requestId: data.i
    model: double
    inputs: [{ name: x, values: [data.i], shape: [1, 1] }]
    publish:
      topic: results/\${device}
      payload: { id: "\${id}", i: "\${data.i}", y: "\${outputs.y[0][0]}" }
${more}`;
}

export interface Device {
  readonly client: MqttClient;
  /** How often each result came, by the number of its message. */
  readonly results: ReadonlyMap<number, number>;
  /** Results that are no answers. */
  readonly errors: readonly string[];
  /** Publishes a number, and resolves when the broker has acknowledged it. */
  send(i: number, topic?: string): Promise<void>;
  end(): Promise<void>;
}

/** A device that sends numbers, and hears results in a session that lasts. */
export async function startDevice(url: string, name: string, options: IClientOptions = {}): Promise<Device> {
  const client = connect(url, {
    clientId: name,
    clean: false,
    reconnectPeriod: 50,
    ...(options.protocolVersion === 5 && { properties: { sessionExpiryInterval: 3_600 } }),
    ...options,
  });
  const results = new Map<number, number>();
  const errors: string[] = [];
  client.on("error", () => {});
  client.on("message", (_, payload) => {
    const { i, error } = JSON.parse(payload.toString()) as { readonly i?: number; readonly error?: object };
    if (error !== undefined || i === undefined) errors.push(payload.toString());
    else results.set(i, (results.get(i) ?? 0) + 1);
  });
  await new Promise((resolve) => client.once("connect", resolve));
  await client.subscribeAsync(`results/${name}`, { qos: 1 });
  // A broker in memory forgets its subscribers with everything else.
  client.on("connect", ({ sessionPresent }) => {
    if (!sessionPresent) client.subscribe(`results/${name}`, { qos: 1 });
  });
  return {
    client,
    results,
    errors,
    send: async (i, topic = `devices/${name}/telemetry`) => {
      await client.publishAsync(topic, JSON.stringify({ i, ts: Date.now() }), { qos: 1 });
    },
    end: () => client.endAsync(true),
  };
}

/** Sends the numbers, so many at once. */
export async function sendAll(device: Device, count: number, atOnce: number): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < count) await device.send(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, sender));
}

/** How many of the numbers have no result. */
export function missingOf({ results }: Pick<Device, "results">, count: number): number {
  return Array.from({ length: count }, (_, i) => i).filter((i) => !results.has(i)).length;
}
