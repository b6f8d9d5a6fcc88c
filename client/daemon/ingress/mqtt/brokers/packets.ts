/** Messages of the rules as packets of MQTT, and the other way round. */
import type { IPublishPacket } from "mqtt";
import type { MessageProperties, MqttMessage } from "../rules/message.ts";

type PacketProperties = NonNullable<IPublishPacket["properties"]>;

/** What of a packet a message is made of; packets of the embedded broker have no properties. */
export interface PublishedPacket extends Pick<IPublishPacket, "topic" | "payload" | "qos" | "retain"> {
  readonly dup?: boolean | undefined;
  readonly properties?: IPublishPacket["properties"] | undefined;
}

export function messageOf(broker: string, packet: PublishedPacket): MqttMessage {
  const { topic, payload, qos, retain, dup = false, properties = {} } = packet;
  const { responseTopic, correlationData, contentType, userProperties } = properties;
  return {
    broker,
    topic,
    payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    qos,
    retain,
    dup,
    receivedMs: Date.now(),
    properties: {
      ...(responseTopic !== undefined && { responseTopic }),
      ...(correlationData !== undefined && { correlationData }),
      ...(contentType !== undefined && { contentType }),
      ...(userProperties !== undefined && { userProperties: lastValues(userProperties) }),
    },
  };
}

/** @param expiryS how long the broker keeps it for those who are away, in seconds */
export function propertiesOf(
  { responseTopic, correlationData, contentType, userProperties }: MessageProperties,
  expiryS: number | undefined,
): PacketProperties {
  return {
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData) }),
    ...(contentType !== undefined && { contentType }),
    ...(userProperties !== undefined && { userProperties: { ...userProperties } }),
    ...(expiryS !== undefined && { messageExpiryInterval: expiryS }),
  };
}

function lastValues(given: Readonly<Record<string, string | string[]>>): Record<string, string> {
  // Names come from strangers, so that __proto__ must be a name like any other.
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(given))
    values[name] = Array.isArray(value) ? (value.at(-1) ?? "") : value;
  return values;
}
