/** The port between the brokers and the delivery: what a connection to a broker does, whichever broker it is. */
import { UsageError } from "../../../../../base/usage-error.ts";
import type { MqttMessage, Publication } from "../rules/message.ts";
import type { Subscription } from "../rules/compiled-rule.ts";

/**
 * Works on one message. Resolves with true when it may be acknowledged, and with false when it must not be: its results
 * are not out, and the daemon stops. Never rejects.
 */
export type TakeMessage = (message: MqttMessage) => Promise<boolean>;

/** What a link tells of messages that it does not hand on. */
export interface LinkEvents {
  readonly take: TakeMessage;
  /** A message came and waits for its turn; call the function that it returns when the turn comes, or never will. */
  readonly waits: (message: MqttMessage) => () => void;
  /** A message that the broker does not deliver again had no room. */
  readonly onDropped: (message: MqttMessage) => void;
  /** The broker has not acknowledged a result in the time of its rule. */
  readonly onSlowPublish: (publication: Publication) => void;
}

export interface BrokerStatus {
  readonly name: string;
  readonly url: string;
  readonly version: string;
  readonly isConnected: boolean;
  /** Why it is not connected, as far as that is known. */
  readonly why?: string | undefined;
  /** How often it was connected. */
  readonly connects: number;
  /** Messages that wait for their turn here, and those that are worked on. */
  readonly waiting: number;
  readonly inWork: number;
  /** Results that are not published yet. */
  readonly unpublished: number;
  /** Bytes of the messages that are here. */
  readonly bytes: number;
  /** Topics that it is subscribed to, and those that the broker refused. */
  readonly subscribed: readonly string[];
  readonly refused: readonly string[];
}

export interface BrokerLink {
  /** Makes the subscriptions those of the list; those that stay are not touched. */
  follow(wanted: readonly Subscription[]): void;
  /**
   * Resolves when the broker has the result: at QoS 1 and 2 when it has acknowledged it, at QoS 0 when it was sent. Waits
   * as long as the connection is away. Rejects with a PublishRefused when the broker does not take it, and with an Error
   * when the link is closed.
   */
  publish(publication: Publication): Promise<void>;
  status(): BrokerStatus;
  /** Begins no message any more. Those that have begun end, and are acknowledged. */
  retire(): void;
  /** Leaves the broker, which keeps its session. */
  close(): Promise<void>;
}

/** The broker has refused a result, and would refuse it again. */
export class PublishRefused extends Error {}

/** @throws UsageError for a subscription that is shared */
export function refuseShared(broker: string, subscriptions: readonly Subscription[]): void {
  const shared = subscriptions.find(({ topic }) => topic.startsWith("$share/"));
  if (shared === undefined) return;
  throw new UsageError(
    `broker ${broker}: topic ${shared.topic} is a shared subscription, which the embedded broker does not have; ` +
      "leave $share/GROUP/ out, or use a broker such as mosquitto",
  );
}
