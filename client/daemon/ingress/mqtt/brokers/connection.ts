/** How a broker is connected to: its address, who we are there, and what a connection that fails means. */
import { readFileSync } from "node:fs";
import type { IClientOptions } from "mqtt";
import { showValue } from "../../../../../base/error-text.ts";
import type { Environment } from "../../../../../base/program/secrets.ts";
import { UsageError } from "../../../../../base/usage-error.ts";
import type { BrokerConfig } from "../rules/config/broker-fields.ts";

/** Largest packet that a broker of MQTT 5 sends, in bytes. */
const mostPacketBytes = 2 ** 26;

const protocols = {
  "mqtt:": "mqtt",
  "tcp:": "mqtt",
  "mqtts:": "mqtts",
  "ssl:": "mqtts",
  "tls:": "mqtts",
  "ws:": "ws",
  "wss:": "wss",
} as const;

/** Port of a broker whose address names none. */
const usualPorts = { mqtt: 1_883, mqtts: 8_883, ws: 80, wss: 443 } as const;

/** The name by which the broker knows us and keeps messages for us. */
export function clientIdOf({ clientId, name }: Pick<BrokerConfig, "clientId" | "name">): string {
  return clientId ?? `spillway-${name}`;
}

/**
 * The options of a connection. Reads the files and the variable that the configuration names.
 *
 * @throws UsageError that names the broker and what cannot be read
 */
export function connectionOptions(config: BrokerConfig, env: Environment): IClientOptions {
  const url = new URL(config.url);
  const protocol = protocols[url.protocol as keyof typeof protocols];
  const isTls = protocol === "mqtts" || protocol === "wss";
  const isWeb = protocol === "ws" || protocol === "wss";
  const read = (field: "ca" | "cert" | "key"): Record<string, Buffer> =>
    config[field] === undefined ? {} : { [field]: fileOf(config, field) };
  const password = passwordOf(config, env);
  const version = config.version === "5" ? 5 : 4;
  // Of a scheme that it does not know, URL keeps the brackets of IPv6 addresses.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    protocol,
    host,
    port: url.port === "" ? usualPorts[protocol] : Number(url.port),
    ...(isWeb && { path: `${url.pathname}${url.search}` }),
    protocolVersion: version,
    protocolId: "MQTT",
    clientId: clientIdOf(config),
    clean: false,
    keepalive: config.keepAlive,
    connectTimeout: config.connectTimeout * 1_000,
    // The link subscribes itself, and queues itself what cannot be sent.
    resubscribe: false,
    queueQoSZero: false,
    reconnectOnConnackError: true,
    ...(config.user !== undefined && { username: config.user }),
    ...(password !== undefined && { password }),
    ...(isTls && { ...read("ca"), ...read("cert"), ...read("key") }),
    ...(isTls && config.serverName !== undefined && { servername: config.serverName }),
    ...(version === 5 && {
      properties: {
        sessionExpiryInterval: config.sessionExpiry,
        receiveMaximum: config.maxInFlight,
        maximumPacketSize: mostPacketBytes,
      },
    }),
  };
}

function fileOf(config: BrokerConfig, field: "ca" | "cert" | "key" | "passwordFile"): Buffer {
  const path = config[field] as string;
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `broker ${config.name}: ${field} is ${showValue(path)}, which cannot be read (${code})`,
    );
  }
}

/** @throws UsageError when it cannot be read */
export function passwordOf(config: BrokerConfig, env: Environment): string | undefined {
  const { name, passwordEnv } = config;
  if (config.passwordFile !== undefined)
    return fileOf(config, "passwordFile").toString("utf8").split(/\r?\n/)[0];
  if (passwordEnv === undefined) return undefined;
  const value = env[passwordEnv];
  if (value === undefined || value === "")
    throw new UsageError(`broker ${name}: passwordEnv is ${passwordEnv}, which is not in the environment`);
  return value;
}

/** What errors of TLS and of the network mean, by code. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, "nothing listens there"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "its host name is not known"],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, "there is no way to its host"],
  [/^ETIMEDOUT$/, "it does not answer"],
  [/^ECONNRESET$/, "it broke the connection; it may want TLS (mqtts://) or not speak it"],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/,
    "its certificate is not signed by an authority that is known here; ca names the PEM file of its authority",
  ],
  [/^CERT_HAS_EXPIRED$/, "its certificate has expired"],
  [/^CERT_NOT_YET_VALID$/, "its certificate is not valid yet; compare the clocks"],
  [/^CERT_REVOKED$/, "its certificate was revoked"],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "its certificate is for another host name; serverName says which name it must have",
  ],
  [
    /ALERT_CERTIFICATE_REQUIRED|ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|HANDSHAKE_FAILURE/,
    "it does not accept our certificate; cert and key name the PEM files of one that it knows",
  ],
  [/^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/, "it does not speak TLS there"],
];

/** What a broker means that refuses a connection, by the codes of MQTT 3.1.1 and 5. */
const refusals: Readonly<Record<number, string>> = {
  1: "it does not speak this version of MQTT; set version",
  2: "it does not take our client id; set clientId",
  3: "it cannot serve now",
  4: "it refuses the user or the password",
  5: "it does not allow us; check user, password and certificate",
  132: "it does not speak this version of MQTT; set version",
  133: "it does not take our client id; set clientId",
  134: "it refuses the user or the password",
  135: "it does not allow us; check user, password and certificate",
  136: "it cannot serve now",
  137: "it is busy",
  138: "it has banned us",
  140: "it wants another kind of proof of who we are",
  149: "a packet of ours is too large for it",
  151: "a quota of its is used up",
  159: "we connect too often for it",
};

/**
 * Why a connection failed, for a person, and whether it helps to wait: a wrong certificate stays wrong.
 *
 * @param isSecure whether the address is one of TLS
 */
export function whyNotConnected(error: unknown): { readonly why: string; readonly isPassing: boolean } {
  const { code, message } = error as Error & { readonly code?: string | number };
  if (typeof code === "number") {
    const why = refusals[code] ?? message;
    return { why, isPassing: [3, 136, 137, 151, 159].includes(code) };
  }
  const known = meanings.find(([pattern]) => pattern.test(code ?? ""));
  if (known !== undefined) return { why: `${known[1]} (${code})`, isPassing: /^E[A-Z]+$/.test(code ?? "") };
  if (/connack timeout/.test(message))
    return { why: "it does not answer in the time of connectTimeout", isPassing: true };
  return { why: code === undefined ? message : `${message} (${code})`, isPassing: true };
}
