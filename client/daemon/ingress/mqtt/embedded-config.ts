/** The rules of a file as they run at the broker within the daemon. */
import { type BrokerConfig, brokerFields } from "./rules/config/broker-fields.ts";
import type { RuleConfig } from "./rules/config/rule-fields.ts";
import type { MqttConfig } from "./rules/config/mqtt-config.ts";

export interface EmbeddedAddress {
  readonly host: string;
  readonly port: number;
}

const embeddedName = "embedded";

/** The address of an embedded broker; undefined: the broker is another one. */
export function embeddedAddress({ url }: Pick<BrokerConfig, "url">): EmbeddedAddress | undefined {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "embedded:") return undefined;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 1_883 : Number(port) };
}

/** The same rules, all of whose messages come from and go to the embedded broker. */
export function atEmbedded(given: MqttConfig | undefined, { host, port }: EmbeddedAddress): MqttConfig {
  const url = `embedded://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const broker = brokerFields.parse({ name: embeddedName, url, version: "3.1.1" });
  const moved = ({ from, publish, ...rule }: RuleConfig): RuleConfig => {
    const { broker: _, ...published } = publish;
    return { ...rule, from: { ...from, broker: embeddedName }, publish: published };
  };
  return { brokers: [broker], rules: (given?.rules ?? []).map(moved) };
}
