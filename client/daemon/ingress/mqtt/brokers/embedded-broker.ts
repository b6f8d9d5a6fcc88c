/**
 * The broker within the daemon, for a machine without one: aedes, which speaks MQTT 3.1.1 and keeps everything in memory.
 * What a device publishes at QoS 1 is acknowledged when its results are out, so a device that hears nothing sends again,
 * to the next daemon if this one died. Subscribers have to come back and subscribe themselves.
 */
import { createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { Aedes, type AedesPublishPacket, type AuthenticateError, type Client } from "aedes";
import type { Logger } from "pino";
import { UsageError } from "../../../../../base/usage-error.ts";
import type { Subscription } from "../rules/compiled-rule.ts";
import type { MqttMessage, Publication } from "../rules/message.ts";
import {
  type BrokerLink,
  type BrokerStatus,
  isCovered,
  type LinkEvents,
  PublishRefused,
  refuseShared,
  whyNoTopic,
} from "./broker-link.ts";
import { Inbox } from "./inbox.ts";
import { messageOf, type PublishedPacket } from "./packets.ts";
import { PacketLimit } from "./packet-limit.ts";

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

/** Devices at once; more are turned away. */
const mostConnections = 1_024;
/** Largest packet of a device, in bytes. */
const mostPacketBytes = 2 ** 26;
const connectTimeoutMs = 10_000;
/** A subscriber that reads nothing for so long is disconnected, because results wait for it, in milliseconds. */
const drainTimeoutMs = 10_000;
/** Return codes of MQTT 3.1.1 for a connection that is refused. */
const badCredentials = 4;
const lastVersion = 4;

export class EmbeddedBroker implements BrokerLink {
  readonly #options: EmbeddedBrokerOptions;
  readonly #inbox: Inbox;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Messages of devices that are being worked on, by device and packet id: a device that came back sends them again. */
  readonly #held = new Map<string, { readonly message: MqttMessage; readonly isDone: Promise<boolean> }>();
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
          options.user === undefined || (user === options.user && String(password ?? "") === (options.password ?? ""));
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
    this.#aedes.on("clientReady", () => this.#connects++);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = mostConnections;
  }

  /** Rejects with a UsageError when it cannot listen on its address. */
  static async open(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker(options);
    await broker.#aedes.listen();
    const { host, port, name, log } = options;
    await new Promise<void>((resolve, reject) => {
      broker.#server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
        broker.#aedes.close();
        reject(
          new UsageError(
            code === "EADDRINUSE"
              ? `broker ${name}: port ${port} of ${host} is in use; another broker may run there`
              : `broker ${name}: cannot listen on ${host}:${port} (${code ?? message})`,
          ),
        );
      });
      broker.#server.listen(port, host, resolve);
    });
    broker.#isListening = true;
    log.info(
      { broker: name, url: broker.#url() },
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

  publish({ topic, payload, qos, retain }: Publication): Promise<void> {
    const why = whyNoTopic(topic);
    if (why !== undefined) return Promise.reject(new PublishRefused(`the topic is not allowed: ${why}`));
    this.#unpublished++;
    return new Promise((resolve, reject) => {
      const packet = { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain, dup: false } as const;
      this.#aedes.publish(packet as AedesPublishPacket, (error) => {
        this.#unpublished--;
        if (error === undefined || error === null) resolve();
        else reject(new PublishRefused(error.message));
      });
    });
  }

  status(): BrokerStatus {
    return {
      name: this.#options.name,
      url: this.#url(),
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
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #url(): string {
    const address = this.#server.address();
    const port = typeof address === "object" && address !== null ? address.port : this.#options.port;
    const { host } = this.#options;
    return `mqtt://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setKeepAlive(true, 30_000);
    socket.setNoDelay(true);
    const limit = new PacketLimit(mostPacketBytes);
    socket.pipe(limit);
    const stream = Duplex.from({ readable: limit, writable: socket });
    limit.once("error", (error) => {
      this.#options.log.warn({ broker: this.#options.name, why: error.message }, "a device is turned away");
      socket.destroy();
    });
    socket.once("error", () => stream.destroy());
    socket.once("close", () => {
      this.#sockets.delete(socket);
      limit.destroy();
      stream.destroy();
    });
    this.#aedes.handle(stream);
  }

  /** Lets a message of a device pass; at QoS 1 when its results are out. */
  #authorize(client: Client | null, packet: DevicePacket, done: (error?: Error | null) => void): void {
    const { topic } = packet;
    if (topic.startsWith("$")) return done(new Error("topics that begin with $ are the broker's own"));
    const isAsked = this.#wanted.some((each) => isCovered(each.topic, topic));
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
    const isAsked = this.#wanted.some(({ topic }) => isCovered(topic, message.topic));
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
