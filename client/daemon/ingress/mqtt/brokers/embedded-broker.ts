/**
 * The broker within the daemon, for a machine without one: aedes, which speaks MQTT 3.1.1 and keeps everything in memory.
 * What a device publishes at QoS 1 is acknowledged when its results are out, so a device that hears nothing sends again,
 * to the next daemon if this one died. Subscribers have to come back and subscribe themselves.
 */
import { Aedes, type AuthenticateError, type Client } from "aedes";
import type { Logger } from "pino";
import type { Subscription } from "../rules/compiled-rule.ts";
import type { MqttMessage, Publication } from "../rules/message.ts";
import { topicFault, topicMatches } from "../rules/view/topic-text.ts";
import {
  type BrokerLink,
  type BrokerStatus,
  type LinkEvents,
  PublishRefused,
  refuseShared,
} from "./broker-link.ts";
import { DeviceListener } from "./device-listener.ts";
import { Inbox } from "./inbox.ts";
import { LateSubscribers } from "./late-subscribers.ts";
import { messageOf, type PublishedPacket } from "./packets.ts";

export interface EmbeddedBrokerOptions {
  readonly name: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What devices have to say; undefined: anybody may connect. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly mostAtOnce: number;
  readonly mostBytes: number;
  readonly events: LinkEvents;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/** What a device publishes. */
type DevicePacket = PublishedPacket & { readonly messageId?: number | undefined };

const connectTimeoutMs = 10_000;
/** How long results wait for those who were subscribed to the daemon before this one. */
const lateness = { settleMs: 60_000, holdMs: 3_000, mostBytes: 64 * 2 ** 20 };
/** A subscriber that reads nothing for so long is disconnected, because results wait for it, in milliseconds. */
const drainTimeoutMs = 10_000;
/** Return codes of MQTT 3.1.1 for a connection that is refused. */
const badCredentials = 4;
const lastVersion = 4;

export class EmbeddedBroker implements BrokerLink {
  readonly #options: EmbeddedBrokerOptions;
  readonly #inbox: Inbox;
  readonly #aedes: Aedes;
  readonly #listener: DeviceListener;
  /** Messages of devices that are being worked on, by device and packet id: a device that came back sends them again. */
  readonly #held = new Map<string, { readonly message: MqttMessage; readonly isDone: Promise<boolean> }>();
  readonly #subscribers = new LateSubscribers({ ...lateness, nowMs: () => performance.now() });
  #wanted: readonly Subscription[] = [];
  #isListening = false;
  #isRetired = false;
  #unpublished = 0;
  #connects = 0;

  private constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
    const { mostAtOnce, mostBytes } = options;
    this.#inbox = new Inbox({ mostAtOnce, mostBytes });
    this.#aedes = new Aedes({
      connectTimeout: connectTimeoutMs,
      drainTimeout: drainTimeoutMs,
      preConnect: (_, { protocolVersion = lastVersion }, done) => {
        if (protocolVersion > lastVersion)
          options.log.warn(
            { broker: options.name, version: protocolVersion },
            "a device asks for MQTT 5; the embedded broker speaks 3.1.1 alone",
          );
        done(null, !this.#isRetired);
      },
      authenticate: (_, user, password, done) => {
        const isRight =
          options.user === undefined ||
          (user === options.user && String(password ?? "") === (options.password ?? ""));
        if (isRight) return done(null, true);
        options.log.warn({ broker: options.name }, "a device gave a wrong user or password");
        const error = new Error("wrong user or password") as AuthenticateError;
        error.returnCode = badCredentials;
        done(error, false);
      },
      authorizeSubscribe: (client, subscription, done) => {
        if (!subscription.topic.startsWith("$share/")) return done(null, subscription);
        options.log.warn(
          { broker: options.name, client: client?.id, topic: subscription.topic },
          "a shared subscription is refused: the embedded broker has none; use a broker such as mosquitto",
        );
        done(null, null);
      },
      authorizePublish: (client, packet, done) => this.#authorize(client, packet, done),
      published: (packet, client, done) => {
        if (packet.qos === 2 && client !== null) this.#unheld(messageOf(options.name, packet));
        done();
      },
    });
    const subscribers = this.#subscribers;
    this.#aedes.on("clientReady", () => {
      this.#connects++;
      subscribers.connected();
    });
    this.#aedes.on("subscribe", (subscriptions, { id }) => {
      subscribers.subscribed(
        id,
        subscriptions.map(({ topic }) => topic),
      );
    });
    this.#aedes.on("unsubscribe", (topics, { id }) => subscribers.unsubscribed(id, topics));
    this.#aedes.on("clientDisconnect", ({ id, clean }) => {
      if (clean) subscribers.left(id);
    });
    const { name, host, port, log } = options;
    this.#listener = new DeviceListener({
      name,
      host,
      port,
      log,
      handle: (stream) => this.#aedes.handle(stream),
    });
  }

  /** Rejects with a UsageError when it cannot listen on its address. */
  static async open(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker(options);
    await broker.#aedes.listen();
    const { host, name, log } = options;
    try {
      await broker.#listener.listen();
    } catch (error) {
      broker.#aedes.close();
      throw error;
    }
    broker.#isListening = true;
    broker.#subscribers.start();
    log.info(
      { broker: name, url: broker.#listener.url },
      "embedded broker listens: MQTT 3.1.1, in memory, without $share; what it holds is gone with the daemon",
    );
    const isOpen = options.user === undefined && !/^(localhost|127\..*|::1)$/.test(host);
    if (isOpen) log.warn({ broker: name, host }, "others can reach the embedded broker without a password");
    return broker;
  }

  /** @throws UsageError for a shared subscription, to which the embedded broker would deliver nothing */
  follow(wanted: readonly Subscription[]): void {
    refuseShared(this.#options.name, wanted);
    this.#wanted = wanted;
  }

  async publish({ topic, payload, qos, retain }: Publication): Promise<void> {
    const why = topicFault(topic);
    if (why !== undefined) throw new PublishRefused(`the topic cannot be published to; ${why}`);
    this.#unpublished++;
    try {
      const publish = (): Promise<void> => this.#hand({ topic, payload, qos, retain });
      if (qos === 0 || retain) await publish();
      else await this.#subscribers.deliver(topic, payload.byteLength, publish);
    } finally {
      this.#unpublished--;
    }
  }

  status(): BrokerStatus {
    return {
      name: this.#options.name,
      url: this.#listener.url,
      version: "3.1.1",
      isConnected: this.#isListening,
      why: this.#isListening ? undefined : "it is closed",
      connects: this.#connects,
      waiting: this.#inbox.waiting,
      inWork: this.#inbox.begun,
      unpublished: this.#unpublished,
      bytes: this.#inbox.bytes,
      subscribed: this.#wanted.map(({ topic }) => topic),
      refused: [],
    };
  }

  retire(): void {
    this.#isRetired = true;
    this.#inbox.stop();
  }

  async close(): Promise<void> {
    this.retire();
    this.#isListening = false;
    this.#subscribers.stop();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await this.#listener.close();
  }

  #hand({
    topic,
    payload,
    qos,
    retain,
  }: Pick<Publication, "topic" | "payload" | "qos" | "retain">): Promise<void> {
    const packet = { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain, dup: false } as const;
    return new Promise((resolve, reject) => {
      this.#aedes.publish(packet, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new PublishRefused(error.message));
      });
    });
  }

  /** Lets a message of a device pass; at QoS 1 when its results are out. */
  #authorize(client: Client | null, packet: DevicePacket, done: (error?: Error | null) => void): void {
    const { topic } = packet;
    if (topic.startsWith("$")) return done(new Error("topics that begin with $ are the broker's own"));
    const isAsked = this.#wanted.some((each) => topicMatches(each.topic, topic));
    if (!isAsked || packet.qos === 2) return done(null);
    const message = messageOf(this.#options.name, packet);
    if (packet.qos === 0) {
      this.#unheld(message);
      return done(null);
    }
    void this.#hold(`${packet.messageId} ${client?.id ?? ""}`, message).then((isDone) => {
      if (isDone) done(null);
      // Without an acknowledgement the device sends it again, once it is back.
      else client?.close();
    });
  }

  /** Resolves with true when the message is done, and with false when nobody works on it. */
  #hold(key: string, message: MqttMessage): Promise<boolean> {
    const known = this.#held.get(key);
    if (known !== undefined && isSame(known.message, message)) return known.isDone;
    const isDone = new Promise<boolean>((resolve) => {
      const isTaken = this.#offer(
        message,
        (done) => resolve(done),
        () => resolve(false),
      );
      if (!isTaken) resolve(false);
    });
    this.#held.set(key, { message, isDone });
    void isDone.then(() => {
      if (this.#held.get(key)?.message === message) this.#held.delete(key);
    });
    return isDone;
  }

  /** Takes a message that is not held. */
  #unheld(message: MqttMessage): void {
    const isAsked = this.#wanted.some(({ topic }) => topicMatches(topic, message.topic));
    if (isAsked && !this.#offer(message, () => {})) this.#options.events.onDropped(message);
  }

  /** @returns false when there is no room for it, or nothing is taken any more */
  #offer(message: MqttMessage, done: (isDone: boolean) => void, giveUp?: () => void): boolean {
    const { events } = this.#options;
    const turnCame = events.waits(message);
    const isTaken = this.#inbox.offer({
      bytes: message.payload.byteLength + message.topic.length,
      begin: async () => {
        turnCame();
        done(await events.take(message));
      },
      ...(giveUp !== undefined && {
        giveUp: () => {
          turnCame();
          giveUp();
        },
      }),
    });
    if (!isTaken) turnCame();
    return isTaken;
  }
}

function isSame(a: MqttMessage, b: MqttMessage): boolean {
  return a.topic === b.topic && Buffer.compare(a.payload, b.payload) === 0;
}
