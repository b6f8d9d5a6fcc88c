/** A message as paths, conditions and templates see it. */
import type { MqttMessage } from "../message.ts";

/** The names with which paths and conditions begin. */
export const messageRoots = [
  "data",
  "device",
  "topic",
  "topicName",
  "properties",
  "retain",
  "received",
] as const;

export interface MessageView {
  /** The payload's value: JSON, a text, or undefined where the rule looks at bytes only. Integers may be bigints. */
  readonly data: unknown;
  /** Name of the device, where the rule says how to tell. */
  readonly device: string | undefined;
  /** The levels of the topic. */
  readonly topic: readonly string[];
  readonly topicName: string;
  /** The user properties of MQTT 5. */
  readonly properties: Readonly<Record<string, string>>;
  readonly retain: boolean;
  /** When the message came, in milliseconds since 1970. */
  readonly received: number;
  /** The payload, once decoded. */
  readonly bytes: Uint8Array;
}

/** What is known of a message before its payload is looked at. */
export function headView(message: MqttMessage): MessageView {
  return {
    data: undefined,
    device: undefined,
    topic: message.topic.split("/"),
    topicName: message.topic,
    properties: message.properties.userProperties ?? {},
    retain: message.retain,
    received: message.receivedMs,
    bytes: message.payload,
  };
}
