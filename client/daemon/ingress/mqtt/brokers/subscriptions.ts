/** What a client is subscribed to at its broker, and how that becomes what the rules want. */
import type { MqttClient } from "mqtt";
import type { Logger } from "pino";
import type { Subscription } from "../rules/compiled-rule.ts";

/** Pause before a subscription is tried again, in milliseconds. */
const againMs = 10_000;
/** From this code on the broker refuses a subscription. */
const firstRefusal = 128;

export class Subscriptions {
  readonly #client: MqttClient;
  readonly #broker: string;
  readonly #log: Pick<Logger, "info" | "warn" | "error">;
  /** By topic. */
  #wanted = new Map<string, Subscription["qos"]>();
  readonly #granted = new Map<string, Subscription["qos"]>();
  readonly #refused = new Set<string>();
  /** Topics that the broker was asked for and has not answered. */
  readonly #asked = new Map<string, Subscription["qos"]>();
  #isConnected = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: MqttClient, broker: string, log: Pick<Logger, "info" | "warn" | "error">) {
    this.#client = client;
    this.#broker = broker;
    this.#log = log;
  }

  want(wanted: readonly Subscription[]): void {
    this.#wanted = new Map(wanted.map(({ topic, qos }) => [topic, qos]));
    this.#bringAbout();
  }

  /** @param hasSession whether the broker still has what was granted before */
  connected(hasSession: boolean): void {
    this.#isConnected = true;
    if (!hasSession) this.#granted.clear();
    this.#refused.clear();
    this.#asked.clear();
    this.#bringAbout();
  }

  disconnected(): void {
    this.#isConnected = false;
    this.#asked.clear();
    clearTimeout(this.#timer);
  }

  state(): { readonly subscribed: readonly string[]; readonly refused: readonly string[] } {
    return { subscribed: [...this.#granted.keys()], refused: [...this.#refused] };
  }

  #bringAbout(): void {
    if (!this.#isConnected) return;
    for (const topic of this.#granted.keys()) if (!this.#wanted.has(topic)) this.#unsubscribe(topic);
    for (const [topic, qos] of this.#wanted)
      if (this.#granted.get(topic) !== qos && this.#asked.get(topic) !== qos) this.#subscribe(topic, qos);
  }

  #subscribe(topic: string, qos: Subscription["qos"]): void {
    const [log, broker] = [this.#log, this.#broker];
    this.#asked.set(topic, qos);
    // Retained messages come with a new subscription, not each time that the daemon connects. MQTT 5 has this alone.
    const options = { qos, ...(this.#client.options.protocolVersion === 5 && { rh: 1 }) };
    this.#client.subscribe(topic, options, (error, granted = []) => {
      if (this.#asked.get(topic) === qos) this.#asked.delete(topic);
      const code = granted[0]?.qos ?? firstRefusal;
      if (error === null && code < firstRefusal) {
        this.#granted.set(topic, qos);
        this.#refused.delete(topic);
        log.info({ broker, topic, qos: code }, "subscribed");
        if (code < qos)
          log.warn(
            { broker, topic, asked: qos, qos: code },
            "the broker grants a lower QoS than the rule asks for",
          );
        if (code !== 1)
          log.warn(
            { broker, topic, qos: code },
            "messages are held until their results are out at QoS 1 only; these may be lost with the daemon",
          );
        // It may not be wanted any more.
        this.#bringAbout();
        return;
      }
      if (!this.#isConnected) return;
      this.#refused.add(topic);
      log.error(
        { broker, topic, why: error?.message ?? `code ${code}` },
        "the broker refuses the subscription",
      );
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#bringAbout(), againMs).unref();
    });
  }

  #unsubscribe(topic: string): void {
    this.#granted.delete(topic);
    this.#client.unsubscribe(topic, {}, (error) => {
      if (error === undefined || error === null)
        this.#log.info({ broker: this.#broker, topic }, "unsubscribed");
    });
  }
}
