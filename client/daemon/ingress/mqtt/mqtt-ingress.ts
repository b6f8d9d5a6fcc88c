/**
 * The MQTT ingress: brokers bring messages of devices, rules make requests of them, and results are published. It follows
 * its rule file while the daemon runs.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Environment } from "../../../../base/program/secrets.ts";
import { UsageError } from "../../../../base/usage-error.ts";
import type { Daemon } from "../../daemon.ts";
import { Brokers } from "./brokers/brokers.ts";
import type { BrokerStatus } from "./brokers/broker-link.ts";
import { Delivery } from "./delivery/delivery.ts";
import { type QueueSize, RuleCounts } from "./delivery/rule-counts.ts";
import type { EmbeddedAddress } from "./embedded-config.ts";
import { MqttMetrics } from "./mqtt-metrics.ts";
import { readRules, type ReadRules, ruleFileIn } from "./read-rules.ts";
import { RuleFile } from "./rule-file.ts";
import { type InstallEdge, RuleModels } from "./rule-models.ts";
import type { CompiledRule, RuleState, Subscription } from "./rules/compiled-rule.ts";

export interface MqttIngressOptions {
  /** A rule file, `embedded`, or both. */
  readonly sources: readonly string[];
  readonly listen: EmbeddedAddress;
  readonly daemon: Daemon;
  readonly edges: () => readonly InstallEdge[];
  readonly tokenOf: (edge: InstallEdge) => string | undefined;
  readonly env: Environment;
  readonly log: Logger;
}

/** How long a daemon that stops waits for results to be published, in milliseconds. */
const lastResultsMs = 5_000;
const lookEveryMs = 20;

export class MqttIngress {
  readonly #options: MqttIngressOptions;
  readonly #path: string | undefined;
  readonly #counts: RuleCounts;
  readonly #delivery: Delivery;
  readonly #brokers: Brokers;
  readonly #models: RuleModels;
  readonly #file: RuleFile | undefined;
  readonly #states = new Map<string, RuleState>();
  #rules: ReadRules;

  /**
   * Reads the rules; `start` connects.
   *
   * @throws UsageError when the sources cannot be used
   */
  constructor(options: MqttIngressOptions) {
    this.#options = options;
    const { sources, daemon, edges, tokenOf, env, log } = options;
    this.#path = ruleFileIn(sources);
    this.#rules = this.#read();
    this.#counts = new RuleCounts((id) => daemon.metrics.isWaiting(id));
    let metrics: MqttMetrics | undefined;
    this.#delivery = new Delivery({
      daemon,
      counts: this.#counts,
      linkOf: (name) => this.#brokers.get(name),
      onResult: (rule, tookMs) => metrics?.onResult(rule, tookMs),
      log,
    });
    this.#brokers = new Brokers({
      env,
      events: {
        take: this.#delivery.take,
        waits: this.#delivery.waits,
        onDropped: this.#delivery.dropped,
        onSlowPublish: ({ broker, topic, timeoutMs }) => {
          metrics?.onSlowPublish(broker);
          log.warn(
            { broker, topic, timeoutS: timeoutMs / 1_000 },
            "the broker is slow to acknowledge a result",
          );
        },
      },
      log,
    });
    this.#models = new RuleModels({ edges, tokenOf, onChange: () => this.#follow(), log });
    daemon.metrics.extend((registry) => {
      metrics = new MqttMetrics({ registry, counts: this.#counts, brokers: () => this.#brokers.status() });
    });
    const path = this.#path;
    this.#file =
      path === undefined
        ? undefined
        : new RuleFile({
            path,
            use: () => this.#reload(),
            onFault: ({ message: why }) =>
              log.error({ file: path, why }, "the rule file is not used; all stays"),
          });
  }

  /** Rejects with a UsageError when an embedded broker cannot listen, or what the rules name cannot be read. */
  async start(): Promise<void> {
    await this.#use(this.#rules);
    this.#file?.start();
  }

  /** Takes no message any more. Those whose requests are in the queue are still answered. */
  retire(): void {
    this.#file?.stop();
    this.#models.close();
    this.#delivery.retire();
    this.#brokers.retire();
  }

  /** Publishes what is answered, and leaves the brokers. Call it once the queue is drained. */
  async close(): Promise<void> {
    this.retire();
    const untilMs = performance.now() + lastResultsMs;
    while (this.#brokers.status().some(({ inWork }) => inWork > 0) && performance.now() < untilMs)
      await delay(lookEveryMs);
    await this.#brokers.close();
  }

  /** By rule, what waits before and after inference. */
  sizes(): ReadonlyMap<string, QueueSize> {
    return this.#counts.sizes();
  }

  status(): object {
    const { set } = this.#rules;
    return {
      file: this.#path,
      brokers: this.#brokers.status() satisfies readonly BrokerStatus[],
      models: this.#models.state(),
      rules: set.rules.map((rule) => {
        const { devices, bytes, forgotten } = this.#stateOf(rule);
        const { broker, topic, qos } = rule.subscription;
        const isReady = this.#models.isReady(rule);
        return {
          rule: rule.id,
          broker,
          topic,
          qos,
          model: rule.model.name,
          isReady,
          windows: { devices, bytes, forgotten },
        };
      }),
    };
  }

  /** @throws UsageError */
  #read(): ReadRules {
    const { sources, listen, daemon, env } = this.#options;
    const read = readRules(sources, listen, env);
    for (const { name, lane } of read.config.rules) if (lane !== undefined) checkLane(daemon, name, lane);
    return read;
  }

  async #reload(): Promise<void> {
    const before = new Map(this.#rules.set.rules.map(({ id, fingerprint }) => [id, fingerprint]));
    const read = this.#read();
    await this.#use(read);
    const changed = read.set.rules
      .filter(({ id, fingerprint }) => before.get(id) !== fingerprint)
      .map(({ id }) => id);
    const ids = new Set(read.set.rules.map(({ id }) => id));
    const removed = [...before.keys()].filter((id) => !ids.has(id));
    this.#options.log.info({ file: this.#path, changed, removed }, "rules as the file has them");
  }

  async #use(rules: ReadRules): Promise<void> {
    const { config, set } = rules;
    this.#rules = rules;
    const kept = new Set(set.rules.map(stateKey));
    for (const key of this.#states.keys()) if (!kept.has(key)) this.#states.delete(key);
    this.#counts.keep(set.rules.map(({ id }) => id));
    this.#models.want(set.rules);
    this.#delivery.use({
      set,
      stateOf: (rule) => this.#stateOf(rule),
      ready: (rule) => this.#models.ready(rule),
    });
    await this.#brokers.use(config.brokers);
    this.#follow();
  }

  /** Subscribes for the rules that can serve. */
  #follow(): void {
    const { set } = this.#rules;
    this.#brokers.follow(subscriptionsOf(set.rules.filter((rule) => this.#models.isReady(rule))));
  }

  #stateOf(rule: CompiledRule): RuleState {
    const key = stateKey(rule);
    let state = this.#states.get(key);
    if (state === undefined) {
      state = rule.newState();
      this.#states.set(key, state);
    }
    return state;
  }
}

/** What a rule remembers is of use to the rule that says the same. */
function stateKey({ id, fingerprint }: CompiledRule): string {
  return `${id} ${fingerprint}`;
}

/** One for each broker and topic, of the highest QoS. */
function subscriptionsOf(rules: readonly CompiledRule[]): Subscription[] {
  const found = new Map<string, Subscription>();
  for (const { subscription } of rules) {
    const key = `${subscription.broker} ${subscription.topic}`;
    const known = found.get(key);
    if (known === undefined || known.qos < subscription.qos) found.set(key, subscription);
  }
  return [...found.values()];
}

function checkLane(daemon: Pick<Daemon, "checkHints">, rule: string, lane: string): void {
  try {
    daemon.checkHints({ lane });
  } catch (error) {
    throw new UsageError(`rule ${rule}: lane: ${(error as Error).message}`);
  }
}
