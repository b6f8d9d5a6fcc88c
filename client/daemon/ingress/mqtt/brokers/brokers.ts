/** The brokers of the rule file, each with its connection. Those that a new file does not change stay connected. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { checkInstalled } from "../../../../../base/optional-package.ts";
import type { Environment } from "../../../../../base/program/secrets.ts";
import { embeddedAddress } from "../embedded-config.ts";
import type { Subscription } from "../rules/compiled-rule.ts";
import type { BrokerConfig } from "../rules/config/broker-fields.ts";
import { type BrokerLink, type BrokerStatus, type LinkEvents, refuseShared } from "./broker-link.ts";
import { passwordOf } from "./connection.ts";

export interface BrokersOptions {
  readonly env: Environment;
  readonly events: LinkEvents;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/** Most bytes of the messages of one broker that are here. */
const mostBytes = 32 * 2 ** 20;
/** How long the messages that have begun may take before their connection is replaced, in milliseconds. */
const drainMs = 40_000;
const lookEveryMs = 20;

interface OpenLink {
  readonly link: BrokerLink;
  readonly fingerprint: string;
}

export class Brokers {
  readonly #options: BrokersOptions;
  readonly #links = new Map<string, OpenLink>();
  #isClosed = false;

  constructor(options: BrokersOptions) {
    this.#options = options;
  }

  /** @throws UsageError for what an embedded broker cannot do, and for packages that are not installed */
  static check(configs: readonly BrokerConfig[], subscriptions: readonly Subscription[]): void {
    const kinds = configs.map((config) => (embeddedAddress(config) === undefined ? "mqtt" : "aedes"));
    checkInstalled("--mqtt", [...new Set(kinds)]);
    for (const config of configs)
      if (embeddedAddress(config) !== undefined)
        refuseShared(
          config.name,
          subscriptions.filter(({ broker }) => broker === config.name),
        );
  }

  get(name: string): BrokerLink | undefined {
    return this.#links.get(name)?.link;
  }

  status(): readonly BrokerStatus[] {
    return Array.from(this.#links.values(), ({ link }) => link.status());
  }

  /**
   * Makes the brokers those of the list. One that is not on it, or has changed, begins no message any more, and is left
   * when those that have begun are done. Rejects with a UsageError when one cannot be opened; the others are open then.
   */
  async use(configs: readonly BrokerConfig[]): Promise<void> {
    const wanted = new Map(configs.map((config) => [config.name, config]));
    await Promise.all(
      [...this.#links].map(async ([name, { link, fingerprint }]) => {
        const config = wanted.get(name);
        if (config !== undefined && fingerprintOf(config) === fingerprint) return;
        // What nobody wants any more must not pile up at the broker.
        if (config === undefined) link.follow([]);
        link.retire();
        await drained(link);
        await link.close();
        this.#links.delete(name);
      }),
    );
    for (const config of configs) {
      if (this.#isClosed) return;
      if (this.#links.has(config.name)) continue;
      this.#links.set(config.name, { link: await this.#open(config), fingerprint: fingerprintOf(config) });
    }
  }

  /** Makes the subscriptions of each broker those of the list. */
  follow(subscriptions: readonly Subscription[]): void {
    for (const [name, { link }] of this.#links)
      link.follow(subscriptions.filter(({ broker }) => broker === name));
  }

  retire(): void {
    for (const { link } of this.#links.values()) link.retire();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#links.values(), ({ link }) => link.close()));
  }

  /** The libraries are loaded for the kinds of brokers alone that there are. */
  async #open(config: BrokerConfig): Promise<BrokerLink> {
    const { env, events, log } = this.#options;
    const address = embeddedAddress(config);
    if (address === undefined) {
      const { ExternalBroker } = await import("./external-broker.ts");
      return new ExternalBroker({ config, env, events, mostBytes, log });
    }
    const { EmbeddedBroker } = await import("./embedded-broker.ts");
    const { name, user, maxInFlight: mostAtOnce } = config;
    const password = passwordOf(config, env);
    return EmbeddedBroker.open({ ...address, name, user, password, mostAtOnce, mostBytes, events, log });
  }
}

function fingerprintOf(config: BrokerConfig): string {
  return JSON.stringify(config);
}

async function drained(link: BrokerLink): Promise<void> {
  const untilMs = performance.now() + drainMs;
  for (;;) {
    const { inWork, unpublished } = link.status();
    if ((inWork === 0 && unpublished === 0) || performance.now() > untilMs) return;
    await delay(lookEveryMs);
  }
}
