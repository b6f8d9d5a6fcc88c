/**
 * A broker of its own, such as mosquitto, over MQTT 3.1.1 or 5. Messages of QoS 1 are acknowledged when they are done, in
 * the order of arrival. MQTT.js handles incoming packets one at a time and acknowledges each by itself; the only way to
 * work on many at once is to end its handling with an error, which it takes as "send no acknowledgement", and to send the
 * acknowledgement through its private `_sendPacket`. A contract test holds it to that.
 */
import { connect, type IPublishPacket, type MqttClient } from "mqtt";
import type { Logger } from "pino";
import type { Environment } from "../../../../../base/program/secrets.ts";
import type { Subscription } from "../rules/compiled-rule.ts";
import type { BrokerConfig } from "../rules/config/broker-fields.ts";
import type { MqttMessage, Publication } from "../rules/message.ts";
import { ReconnectPauses } from "./reconnect-pauses.ts";
import type { BrokerLink, BrokerStatus, LinkEvents } from "./broker-link.ts";
import { clientIdOf, connectionOptions, whyNotConnected } from "./connection.ts";
import { Inbox } from "./inbox.ts";
import { messageOf, propertiesOf } from "./packets.ts";
import { type HeldMessage, OrderedAcks } from "./ordered-acks.ts";
import { Outbox, type SendDone } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface ExternalBrokerOptions {
  readonly config: BrokerConfig;
  readonly env: Environment;
  readonly events: LinkEvents;
  readonly mostBytes: number;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

const pauses = { firstMs: 500, mostMs: 30_000, random: Math.random };
/** Pause after a refusal that waiting alone does not end, at least, in milliseconds. */
const afterRefusalMs = 5_000;
/** Most results under way to a broker that says no number. */
const usualWindow = 1_000;
/** How long a broker that is left may take to say goodbye, in milliseconds. */
const goodbyeMs = 1_000;
const lookEveryMs = 1_000;
/** Most bytes of a packet beside topic and payload, properties of MQTT 5 left out. */
const headBytes = 16;

/** MQTT.js goes on with the next packet and sends no acknowledgement. */
const heldBack = new Error("held until its result is out");

export class ExternalBroker implements BrokerLink {
  readonly #options: ExternalBrokerOptions;
  readonly #client: MqttClient;
  readonly #inbox: Inbox;
  readonly #acks: OrderedAcks<MqttMessage>;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #pauses = new ReconnectPauses(pauses);
  readonly #timer: NodeJS.Timeout;
  #connects = 0;
  #why: string | undefined;
  #toldWhy: string | undefined;
  /** A message was left with the broker for want of room, so that all later ones are, too, until the next connection. */
  #isShedding = false;
  #isRetired = false;
  /** The last attempt was refused, and waiting alone does not help. */
  #isRefused = false;
  /** The broker has accepted the connection of now, or the one before. */
  #isAnswered = false;

  /** @throws UsageError when a file or variable of the configuration cannot be read */
  constructor(options: ExternalBrokerOptions) {
    this.#options = options;
    const { config, env, events, mostBytes } = options;
    this.#inbox = new Inbox({
      mostAtOnce: config.maxInFlight,
      mostBytes,
      onEmpty: () => this.#emptied(),
    });
    this.#client = connect({ ...connectionOptions(config, env), reconnectPeriod: this.#pauses.next() });
    const client = this.#client;
    const acknowledge = (messageId: number): void => {
      if (client.connected) client["_sendPacket"]({ cmd: "puback", messageId, reasonCode: 0 }, () => {});
    };
    this.#acks = new OrderedAcks(acknowledge, (a, b) => a.topic === b.topic && isEqual(a.payload, b.payload));
    this.#outbox = new Outbox({
      send: (publication, done) => this.#send(publication, done),
      nowMs: () => performance.now(),
      onSlow: (publication) => events.onSlowPublish(publication),
      onSilent: () => {
        this.#tell("it acknowledges no result; connecting anew");
        client.stream.destroy();
      },
    });
    this.#subscriptions = new Subscriptions(client, config.name, options.log);
    client.handleMessage = (packet, done) => done(this.#arrived(packet) ? heldBack : undefined);
    client.on("connect", ({ sessionPresent }) => this.#connected(sessionPresent));
    client.on("close", () => this.#closed());
    client.on("error", (error) => this.#failed(error));
    client.on("disconnect", ({ reasonCode }) => {
      if (reasonCode === 142)
        this.#failed(new Error(`another program connected as ${clientIdOf(config)}; set clientId`));
      else if (reasonCode !== undefined && reasonCode >= 128)
        this.#failed(Object.assign(new Error("it closed the connection"), { code: reasonCode }));
    });
    this.#timer = setInterval(() => this.#outbox.look(), lookEveryMs).unref();
  }

  follow(wanted: readonly Subscription[]): void {
    this.#subscriptions.want(wanted);
  }

  publish(publication: Publication): Promise<void> {
    return this.#outbox.push(publication);
  }

  status(): BrokerStatus {
    const { name, url, version } = this.#options.config;
    return {
      name,
      url,
      version,
      isConnected: this.#client.connected,
      why: this.#client.connected ? undefined : (this.#why ?? "it was not reached yet"),
      connects: this.#connects,
      waiting: this.#inbox.waiting,
      inWork: this.#inbox.begun,
      unpublished: this.#outbox.size,
      bytes: this.#inbox.bytes,
      ...this.#subscriptions.state(),
    };
  }

  retire(): void {
    this.#isRetired = true;
    this.#inbox.stop();
  }

  async close(): Promise<void> {
    this.retire();
    clearInterval(this.#timer);
    this.#outbox.close();
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => {
        this.#client.end(true, () => resolve());
        resolve();
      }, goodbyeMs);
      this.#client.end(!this.#client.connected, () => {
        clearTimeout(force);
        resolve();
      });
    });
  }

  /** @returns true when the acknowledgement is not the library's to send */
  #arrived(packet: IPublishPacket): boolean {
    const { events, config } = this.#options;
    const message = messageOf(config.name, packet);
    const bytes = message.payload.byteLength + message.topic.length;
    if (packet.qos !== 1) {
      if (!this.#begin(message, bytes)) events.onDropped(message);
      return false;
    }
    if (this.#isShedding || this.#isRetired) return true;
    const held = this.#acks.arrived(packet.messageId ?? 0, message);
    if (held === undefined || this.#begin(message, bytes, held)) return true;
    this.#acks.forget(held);
    this.#isShedding = true;
    this.#options.log.warn(
      { broker: config.name, bytes: this.#inbox.bytes },
      "the broker sends more than there is room for; the rest is fetched again by a new connection",
    );
    return true;
  }

  /** @returns false when there is no room for it */
  #begin(message: MqttMessage, bytes: number, held?: HeldMessage<MqttMessage>): boolean {
    const { events } = this.#options;
    const turnCame = events.waits(message);
    const begin = async (): Promise<void> => {
      turnCame();
      const isDone = await events.take(message);
      if (held !== undefined && isDone) this.#acks.done(held);
    };
    const giveUp = (): void => {
      turnCame();
      if (held !== undefined) this.#acks.forget(held);
    };
    const isTaken = this.#inbox.offer({ bytes, begin, ...(held !== undefined && { giveUp }) });
    if (!isTaken) turnCame();
    return isTaken;
  }

  #connected(hasSession: boolean): void {
    const { config, log } = this.#options;
    this.#connects++;
    this.#pauses.reset();
    this.#client.options.reconnectPeriod = this.#pauses.next();
    this.#why = this.#toldWhy = undefined;
    this.#isRefused = false;
    this.#isAnswered = true;
    if (!hasSession) this.#acks.sessionLost();
    const { receiveMaximum, maximumQoS } = this.#client.serverProperties ?? {};
    log.info(
      { broker: config.name, url: config.url, version: config.version, hasSession },
      "connected to the broker",
    );
    if (maximumQoS !== undefined && maximumQoS < 1)
      log.warn({ broker: config.name }, "the broker takes QoS 0 alone; results may be lost");
    // What a session had granted before this program started is not known.
    this.#subscriptions.connected(hasSession && this.#connects > 1);
    this.#outbox.open(Math.min(receiveMaximum ?? usualWindow, usualWindow));
  }

  #closed(): void {
    this.#subscriptions.disconnected();
    this.#outbox.open(0);
    this.#inbox.giveUp();
    this.#acks.disconnected();
    this.#isShedding = false;
    this.#client.options.reconnectPeriod = Math.max(
      this.#pauses.next(),
      this.#isRefused ? afterRefusalMs : 0,
    );
    if (this.#client.disconnecting) return;
    this.#why ??= this.#isAnswered
      ? "it closed the connection"
      : "it closed the connection before it answered; it may want TLS (mqtts://) or not speak it";
    this.#isAnswered = false;
    this.#tell(this.#why);
  }

  #failed(error: Error): void {
    const { why, isPassing } = whyNotConnected(error);
    this.#why = why;
    this.#isRefused = !isPassing;
    this.#tell(why);
  }

  /** Says what is wrong once, however often it is tried. */
  #tell(why: string): void {
    if (this.#toldWhy === why) return;
    this.#toldWhy = why;
    const { config, log } = this.#options;
    log.error({ broker: config.name, url: config.url, why }, "no connection to the broker; trying again");
  }

  /** Everything is done that there was room for. What was written, such as acknowledgements, still goes out. */
  #emptied(): void {
    if (this.#isShedding && this.#client.connected) this.#client.stream.end();
  }

  #send({ topic, payload, qos, retain, properties, expiryS }: Publication, done: SendDone): void {
    const {
      maximumQoS = 2,
      maximumPacketSize = Infinity,
      retainAvailable = true,
    } = this.#client.serverProperties ?? {};
    if (payload.byteLength + Buffer.byteLength(topic) + headBytes > maximumPacketSize) {
      done(
        Object.assign(new Error(`it has more bytes than the broker takes (${maximumPacketSize})`), {
          code: 149,
        }),
      );
      return;
    }
    this.#client.publish(
      topic,
      Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
      {
        qos: Math.min(qos, maximumQoS) as Publication["qos"],
        retain: retain && retainAvailable,
        properties: propertiesOf(properties, expiryS),
      },
      (error) => done(error),
    );
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}
