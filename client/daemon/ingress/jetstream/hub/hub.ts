/**
 * The hub above a site, as one more target of its daemons. Hubs form a tree: a hub that has, above it, the site that asks is
 * not used, because requests would go round between both until their time is over.
 */
import { SpillwayError } from "../../../../../base/errors.ts";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { engineAt } from "../../../../../base/nats/engine-at.ts";
import { UsageError } from "../../../../../base/usage-error.ts";
import type { HttpAuth } from "../../../../transports/http-auth.ts";
import type { HttpTransport } from "../../../../transports/http-transport.ts";
import { natsTransport } from "../../../../transports/nats/nats-transport.ts";
import { ownedModels } from "../consumer-infos.ts";
import { JetStreamBus, type JetStreamBusOptions } from "../jetstream-bus.ts";
import { hubTransport, modelIn } from "./hub-transport.ts";

export interface HubOptions {
  readonly engine: Engine;
  /** JetStream domain of the hub. */
  readonly domain: string;
  readonly bus: Omit<JetStreamBusOptions, "triesOnce">;
  /** How questions prove who asks. */
  readonly auth: HttpAuth;
  readonly mostAnswerBytes: number;
}

/** How long a list of models is taken for true, and how often the hubs above the hub are asked for, and how many are read. */
const listedForMs = 1_000;
const aboveEveryMs = 10_000;
const askMs = 1_000;
const mostHubs = 16;

export class Hub {
  readonly #options: HubOptions;
  readonly #there: Engine;
  readonly #timer: NodeJS.Timeout;
  #listed: { readonly names: Promise<readonly string[]>; readonly untilMs: number } | undefined;
  /** Hubs above the hub, as it told last. */
  #above: readonly string[] = [];

  private constructor(options: HubOptions, there: Engine) {
    this.#options = options;
    this.#there = there;
    const { engine } = options;
    engine.connection.subscribe(engine.names.hubs.subject, {
      callback: (error, message) => {
        if (error === null) message.respond(JSON.stringify(this.#chain()));
      },
    });
    const ask = (): void => void this.#askAbove();
    ask();
    this.#timer = setInterval(ask, aboveEveryMs).unref();
  }

  /** @throws UsageError when the hub is the site itself */
  static async of(options: HubOptions): Promise<Hub> {
    const { engine, domain } = options;
    if (engine.names.site === domain)
      throw new UsageError(
        `--join-hub is "${domain}", which is our own site; allowed: the domain of a hub above it`,
      );
    return new Hub(options, await engineAt(engine, domain));
  }

  connect(): HttpTransport {
    const { domain: name, auth, mostAnswerBytes, bus } = this.#options;
    const there = this.#there;
    const subject = (path: string): string => there.names.doors.subject(modelIn(path) ?? "");
    return hubTransport({
      name,
      bus: JetStreamBus.reach(there, { ...bus, triesOnce: true }),
      models: () => this.#models(),
      questions: natsTransport({ engine: there, subject, name: `hub ${name}`, auth, mostAnswerBytes }),
      refusal: () => this.#refusal(),
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #refusal(): SpillwayError | undefined {
    const { engine, domain } = this.#options;
    if (engine.names.site === undefined || !this.#above.includes(engine.names.site)) return undefined;
    const round = [domain, ...this.#above].join(", ");
    return new SpillwayError(
      "target_unreachable",
      `--join-hub ${domain} would send requests round: above us are ${round}; hubs must form a tree`,
    );
  }

  /** The hubs above this site, the next one first. */
  #chain(): readonly string[] {
    return [this.#options.domain, ...this.#above].slice(0, mostHubs);
  }

  async #askAbove(): Promise<void> {
    const { connection, names } = this.#there;
    try {
      const answer = await connection.request(names.hubs.subject, undefined, { timeout: askMs });
      const told: unknown = answer.json();
      this.#above = Array.isArray(told)
        ? told.filter((each) => typeof each === "string").slice(0, mostHubs)
        : [];
    } catch {
      // The hub is away, or it has none above it.
      this.#above = [];
    }
  }

  #models(): Promise<readonly string[]> {
    const nowMs = performance.now();
    if (this.#listed !== undefined && nowMs < this.#listed.untilMs) return this.#listed.names;
    const names = ownedModels(this.#there).catch((error: unknown) => {
      this.#listed = undefined;
      throw new SpillwayError("target_unreachable", whyAway(error as Error, this.#options.domain));
    });
    this.#listed = { names, untilMs: nowMs + listedForMs };
    return names;
  }
}

function whyAway({ name, message }: Error, domain: string): string {
  switch (name) {
    case "StreamNotFoundError":
      return `no daemon has joined at the hub ${domain} yet`;
    case "NoRespondersError":
    case "JetStreamNotEnabled":
      return `no JetStream of the domain ${domain} answers: the uplink is cut, or --join-hub is wrong`;
    default:
      return `the hub ${domain} cannot be asked: ${message}`;
  }
}
