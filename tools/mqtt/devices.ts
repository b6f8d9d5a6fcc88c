/** Devices as clients of a broker: they publish over a few connections, and one connection hears all results. */
import { readFileSync } from "node:fs";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { showValue } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";
import { whyNotConnected } from "../../client/daemon/ingress/mqtt/brokers/connection.ts";
import type { MqttLoadOptions } from "./options.ts";

export interface Devices {
  /** Resolves when the broker has the message. */
  publish(device: number, topic: string, payload: string): Promise<void>;
  close(): Promise<void>;
}

const connectTimeoutMs = 10_000;
const mostConnections = 50;

/**
 * Rejects with a UsageError when the broker cannot be reached or does not let us listen.
 *
 * @param onResult is told each message that comes on the topics of results
 */
export async function connectDevices(
  options: MqttLoadOptions,
  env: Readonly<Record<string, string | undefined>>,
  onResult: (payload: Buffer) => void,
): Promise<Devices> {
  const { devices, connections = Math.min(devices, mostConnections), qos, results } = options;
  const common = clientOptions(options, env);
  const name = `spillway-load-${process.pid}`;
  const open: MqttClient[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((client) => client.endAsync(true)));
  };
  try {
    const listener = await connected(options.url, { ...common, clientId: `${name}-results` }, open);
    listener.on("message", (_, payload) => onResult(payload));
    const filter = results.replaceAll("${device}", "+");
    const granted = await listener.subscribeAsync(filter, { qos: qos as 0 | 1 | 2 });
    if ((granted[0]?.qos ?? 128) >= 128) throw new UsageError(`the broker refuses to subscribe to ${filter}`);
    const senders = await Promise.all(
      Array.from({ length: connections }, (_, index) =>
        connected(options.url, { ...common, clientId: `${name}-${index}` }, open),
      ),
    );
    return {
      publish: async (device, topic, payload) => {
        await senders[device % senders.length]?.publishAsync(topic, payload, { qos: qos as 0 | 1 | 2 });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function clientOptions(
  { protocol, user, ca }: MqttLoadOptions,
  env: Readonly<Record<string, string | undefined>>,
): IClientOptions {
  const password = env["MQTT_PASSWORD"];
  return {
    protocolVersion: protocol === "5" ? 5 : 4,
    clean: true,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 200,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca: readFileSync(ca) }),
    // What comes faster than it is acknowledged waits at the broker.
    ...(protocol === "5" && { properties: { receiveMaximum: 1_000 } }),
  };
}

function connected(url: string, options: IClientOptions, open: MqttClient[]): Promise<MqttClient> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      reject(new UsageError(`--url ${showValue(url)}: ${whyNotConnected(error).why}`));
    };
    let client: MqttClient;
    try {
      client = connect(url, options);
    } catch (error) {
      return refuse(error as Error);
    }
    open.push(client);
    client.once("connect", () => {
      client.off("error", refuse);
      // A broker that is restarted is part of what is tried.
      client.on("error", () => {});
      resolve(client);
    });
    client.once("error", refuse);
    return undefined;
  });
}
