/** The brokers of the rule file. */
import { z } from "zod";
import { positive, text, whole } from "../../../../../../base/program/option-fields.ts";
import { formField, plainName, secretVariable } from "./form-field.ts";

/** Schemes of a broker's address; `tcp`, `ssl` and `tls` are other words for the first two. */
export const brokerSchemes = ["mqtt", "mqtts", "tcp", "ssl", "tls", "ws", "wss", "embedded"] as const;

const brokerUrl = z.string().transform((given, context): string => {
  const allowed = `${brokerSchemes.join("://, ")}:// and HOST or HOST:PORT, such as mqtt://127.0.0.1:1883`;
  const parsed = URL.canParse(given) ? new URL(given) : undefined;
  const scheme = brokerSchemes.find((each) => parsed?.protocol === `${each}:`);
  // Of a scheme that it does not know, URL tells the host only after two slashes.
  if (parsed === undefined || scheme === undefined || parsed.host === "") {
    context.addIssue(`allowed: ${allowed}`);
    return z.NEVER;
  }
  if (parsed.username !== "" || parsed.password !== "") {
    context.addIssue("allowed: a URL without user and password; they have fields of their own");
    return z.NEVER;
  }
  return given;
});

export const brokerName = plainName;

export const brokerFields = z.strictObject({
  name: formField(brokerName, "Name", "What rules call this broker."),
  url: formField(
    brokerUrl,
    "Address",
    "mqtt://HOST:PORT; mqtts:// for TLS, ws:// and wss:// for WebSocket, embedded://HOST:PORT for the broker within the daemon.",
  ),
  version: formField(
    z
      .literal([5, "5", "3.1.1"])
      .default(5)
      .transform((given) => (given === 5 ? "5" : given)),
    "MQTT version",
    "5 or 3.1.1. Only 5 has response topics, correlation data and user properties.",
  ),
  clientId: formField(
    z.string().min(1).max(256).optional(),
    "Client id",
    "The broker keeps unacknowledged messages for this name, so it must stay the same and be used once. Default: spillway and the broker's name.",
  ),
  user: formField(text.optional(), "User", "User name at the broker."),
  passwordFile: formField(text.optional(), "Password file", "File whose first line is the password."),
  passwordEnv: formField(
    secretVariable.optional(),
    "Password variable",
    "Environment variable that holds the password.",
  ),
  ca: formField(
    text.optional(),
    "CA file",
    "PEM file of the authority that signed the broker's certificate. Default: the authorities that Node knows.",
  ),
  cert: formField(text.optional(), "Certificate file", "PEM file of the client's own certificate."),
  key: formField(text.optional(), "Key file", "PEM file of the client's private key."),
  serverName: formField(
    text.optional(),
    "Server name",
    "Name that the broker's certificate must have, where it is not the host of the address.",
  ),
  keepAlive: formField(
    whole(5, 3_600).default(30),
    "Keep alive",
    "Seconds without traffic after which the connection is checked.",
  ),
  connectTimeout: formField(
    positive(600).default(10),
    "Connect timeout",
    "Seconds that the broker may take to answer a connection attempt.",
  ),
  sessionExpiry: formField(
    whole(0, 0xfffffffe).default(86_400),
    "Session expiry",
    "Seconds that an MQTT 5 broker keeps messages for the daemon while it is away. With 3.1.1 the broker's settings say.",
  ),
  maxInFlight: formField(
    whole(1, 65_535).default(64),
    "Most in flight",
    "Messages of this broker that are in work at once; the broker keeps the others.",
  ),
});

export type BrokerConfig = Readonly<z.output<typeof brokerFields>>;
