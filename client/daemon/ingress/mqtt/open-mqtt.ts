/** Makes the MQTT ingress of a daemon from its options. */
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { Environment } from "../../../../base/program/secrets.ts";
import type { Daemon } from "../../daemon.ts";
import type { DaemonOptions } from "../../options.ts";
import { MqttIngress } from "./mqtt-ingress.ts";
import { readRules } from "./read-rules.ts";
import { addMqttRoutes } from "./mqtt-routes.ts";
import type { InstallEdge } from "./rule-models.ts";

/** Variable with the admin token of edges on other machines, or with a state folder of their own. */
const tokenVariable = "EDGE_ADMIN_TOKEN";

export interface OpenMqttOptions {
  readonly options: Pick<DaemonOptions, "mqtt" | "mqttListen">;
  readonly daemon: Daemon;
  /** The daemon's own admin token; an edge on this machine has the same one, unless it was told otherwise. */
  readonly token: string | undefined;
  readonly env: Environment;
  readonly log: Logger;
}

/**
 * Finds what is wrong with the options and the rule file before there is a daemon.
 *
 * @throws UsageError
 */
export function checkMqtt({ mqtt, mqttListen }: OpenMqttOptions["options"], env: Environment): void {
  readRules(mqtt, mqttListen, env);
}

/** @throws UsageError when the options, the rule file or what it names cannot be used */
export function openMqttIngress({ options, daemon, token, env, log }: OpenMqttOptions): {
  readonly ingress: MqttIngress;
  readonly routes: (app: Hono) => void;
} {
  const ingress = new MqttIngress({
    sources: options.mqtt,
    listen: options.mqttListen,
    daemon,
    edges: () => edgesOf(daemon),
    tokenOf: ({ url }) => env[tokenVariable] ?? (isOfThisMachine(url) ? token : undefined),
    env,
    log,
  });
  return { ingress, routes: (app) => addMqttRoutes(app, ingress) };
}

function edgesOf(daemon: Daemon): InstallEdge[] {
  return (daemon.targets?.listed() ?? []).flatMap(({ kind, name, url }) =>
    kind === "edge" && url !== undefined ? [{ name, url }] : [],
  );
}

/** Only there a token of ours may go unasked. */
function isOfThisMachine(url: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
}
