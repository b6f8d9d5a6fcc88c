/** What comes in over MQTT, what goes out, and the words for what may be wrong with a message. */

/** The properties of MQTT 5 that rules use. With MQTT 3.1.1 there are none. */
export interface MessageProperties {
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  readonly contentType?: string | undefined;
  /** Of a name that comes twice the last value counts. */
  readonly userProperties?: Readonly<Record<string, string>> | undefined;
}

/** A message as a broker delivered it. */
export interface MqttMessage {
  /** Name of the broker in the configuration. */
  readonly broker: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** Whether the broker has perhaps delivered it before. */
  readonly dup: boolean;
  readonly properties: MessageProperties;
  /** When it came, in milliseconds since 1970. */
  readonly receivedMs: number;
}

/** What is to be published. */
export interface Publication {
  /** Name of the broker in the configuration. */
  readonly broker: string;
  /** A valid topic without wildcards. */
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** For brokers of MQTT 5; others get the message without. */
  readonly properties: MessageProperties;
  /** How long the broker's acknowledgement is waited for, in milliseconds. */
  readonly timeoutMs: number;
  /** How long the broker keeps it for subscribers that are away, in seconds; undefined: without end. */
  readonly expiryS?: number | undefined;
}

/** Why a message is not served, each with its meaning. These are the values of a label in the metrics. */
export const badMessageReasons = {
  unmatched: "no rule of its subscription takes the message",
  too_large: "the payload, or what it decodes to, has more bytes than the rule takes",
  not_decodable: "the payload is not compressed or encrypted as the rule says, or was changed on the way",
  no_key: "there is no key for the device",
  not_utf8: "the payload is not UTF-8",
  not_json: "the payload is not JSON",
  bad_device: "the message does not say which device it is from",
  missing_point: "a value that the model needs is not in the message",
  wrong_type: "a value has another type than the rule says",
  out_of_range: "a number does not fit the datatype of the input",
  wrong_count: "there are more or fewer values than the input's shape takes",
  bad_topic: "the topic for the answer would not be one that may be published to",
} as const;

export type BadMessageReason = keyof typeof badMessageReasons;

/** A message that a rule cannot serve. */
export interface BadMessage {
  readonly reason: BadMessageReason;
  /** Names the place in the message, the value and what is allowed. At most a few hundred characters. */
  readonly text: string;
}
