/** The metrics of MQTT. Labels are rules and brokers of the configuration and words of fixed lists. */
import {
  Counter,
  type Gauge,
  Histogram,
  type Registry,
  scrapedCounter,
  scrapedGauge,
} from "../../../../base/program/metric-registry.ts";
import type { BrokerStatus } from "./brokers/broker-link.ts";
import type { RuleCounts } from "./delivery/rule-counts.ts";

const latencyBucketsS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface MqttMetricsOptions {
  readonly registry: Registry;
  readonly counts: RuleCounts;
  readonly brokers: () => readonly BrokerStatus[];
}

export class MqttMetrics {
  readonly #registry: Registry;
  readonly #latency: Histogram<"rule">;
  readonly #slow: Counter<"broker">;

  constructor({ registry, counts, brokers }: MqttMetricsOptions) {
    this.#registry = registry;
    const registers = [registry];
    this.#latency = new Histogram({
      name: "spillway_mqtt_result_duration_seconds",
      help: "Time from when work on a message begins until its answer is published",
      labelNames: ["rule"],
      buckets: latencyBucketsS,
      registers,
    });
    this.#slow = new Counter({
      name: "spillway_mqtt_slow_publishes_total",
      help: "Results that the broker did not acknowledge in the time of their rule",
      labelNames: ["broker"],
      registers,
    });
    const counter = <Label extends string>(
      name: string,
      help: string,
      labels: readonly Label[],
      fill: (counter: Counter<Label>) => void,
    ): void => scrapedCounter(registry, { name: `spillway_mqtt_${name}`, help, labels }, fill);
    const gauge = <Label extends string>(
      name: string,
      help: string,
      labels: readonly Label[],
      fill: (gauge: Gauge<Label>) => void,
    ): void => scrapedGauge(registry, { name: `spillway_mqtt_${name}`, help, labels }, fill);
    counter("messages_total", "Messages by rule and how they ended", ["rule", "end"], (made) => {
      for (const { rule, ends } of counts.totals())
        for (const [end, count] of ends) made.inc({ rule, end }, count);
    });
    counter("bad_messages_total", "Bad messages by rule and reason", ["rule", "reason"], (made) => {
      for (const { rule, bad } of counts.totals())
        for (const [reason, count] of bad) made.inc({ rule, reason }, count);
    });
    counter("retries_total", "Requests of messages that were submitted once more", ["rule"], (made) => {
      for (const { rule, retries } of counts.totals()) made.inc({ rule }, retries);
    });
    gauge("waiting_messages", "Messages that wait before and after inference", ["rule", "stage"], (made) => {
      for (const [rule, { preQueue, postQueue }] of counts.sizes()) {
        made.set({ rule, stage: "before" }, preQueue);
        made.set({ rule, stage: "after" }, postQueue);
      }
    });
    gauge("connected", "Whether a broker is connected", ["broker"], (made) => {
      for (const { name, isConnected } of brokers()) made.set({ broker: name }, isConnected ? 1 : 0);
    });
    counter(
      "connects_total",
      "Connections to a broker; of devices to the embedded one",
      ["broker"],
      (made) => {
        for (const { name, connects } of brokers()) made.inc({ broker: name }, connects);
      },
    );
    gauge("held_bytes", "Bytes of the messages of a broker that are not acknowledged", ["broker"], (made) => {
      for (const { name, bytes } of brokers()) made.set({ broker: name }, bytes);
    });
  }

  readonly onResult = (rule: string, tookMs: number): void => this.#latency.observe({ rule }, tookMs / 1_000);

  readonly onSlowPublish = (broker: string): void => this.#slow.inc({ broker });

  /** The text of a scrape of the whole registry. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
