/**
 * What happens to a message between its arrival and its acknowledgement: each rule that it concerns makes a request of it,
 * the queue answers, and the result is published. Only when all its results are out may it be acknowledged.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { shortened } from "../../../../../base/error-text.ts";
import type { Daemon } from "../../../daemon.ts";
import { LogThrottle } from "../../../observe/queue-log.ts";
import { type BrokerLink, PublishRefused } from "../brokers/broker-link.ts";
import type {
  CompiledRule,
  Published,
  Route,
  RuleAnswer,
  RuleSet,
  RuleState,
} from "../rules/compiled-rule.ts";
import type { BadMessage, MqttMessage, Publication } from "../rules/message.ts";
import { topicFault } from "../rules/view/topic-text.ts";
import { type MessageEnd, noRule, type OpenMessage, type RuleCounts } from "./rule-counts.ts";
import { answerOf } from "./rule-request.ts";

/** Bad messages and failures of one kind are logged this often at most, in milliseconds. */
const logEveryMs = 5_000;
/** Pause before a result goes to the connection that replaces one, in milliseconds. */
const replacedMs = 100;

/** The rules as they are now, and what they remember. */
export interface RulesNow {
  readonly set: RuleSet;
  readonly stateOf: (rule: CompiledRule) => RuleState;
  /** Resolves when the rule's model can be used, or with why it cannot. */
  readonly ready: (rule: CompiledRule) => Promise<string | undefined> | undefined;
}

export interface DeliveryOptions {
  readonly daemon: Pick<Daemon, "submit" | "findModel">;
  readonly counts: RuleCounts;
  readonly linkOf: (broker: string) => BrokerLink | undefined;
  /** Time from a message's arrival to its published result, in milliseconds. */
  readonly onResult: (rule: string, tookMs: number) => void;
  readonly log: Pick<Logger, "warn" | "error">;
}

/** How a message ended, and what to publish; no answer: nothing. */
interface Outcome {
  readonly end: MessageEnd;
  readonly answer?: RuleAnswer;
}

/** "out" also when the rule wants no result; "closed": the daemon stops. */
type Sent = "out" | "refused" | "closed";

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #throttle = new LogThrottle(logEveryMs);
  readonly #stop = new AbortController();
  #rules: RulesNow | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** From now on messages go by these rules; those that have begun go on by the ones before. */
  use(rules: RulesNow): void {
    this.#rules = rules;
  }

  /** Messages that the queue has not taken are left to the next daemon. */
  retire(): void {
    this.#stop.abort();
  }

  /** A message came and waits for its turn. */
  readonly waits = (message: MqttMessage): (() => void) => {
    const rule = this.#rules?.set.subscribed(message)?.id ?? noRule;
    return this.#options.counts.open(rule).close;
  };

  /** A message had no room. */
  readonly dropped = (message: MqttMessage): void => {
    const rule = this.#rules?.set.subscribed(message)?.id ?? noRule;
    this.#options.counts.ended(rule, "dropped");
    const { topic, qos } = message;
    this.#warn(
      `dropped ${rule}`,
      { rule, topic: shortened(topic), qos },
      "message dropped: there is no room for it",
    );
  };

  /** @returns whether it may be acknowledged */
  readonly take = async (message: MqttMessage): Promise<boolean> => {
    const rules = this.#rules;
    if (rules === undefined || this.#stop.signal.aborted) return false;
    const atMs = performance.now();
    const routes = rules.set.route(message);
    if (routes.length === 0) {
      this.#unmatched(rules.set, message);
      return true;
    }
    const made = randomUUID();
    const done = await Promise.all(routes.map((route) => this.#follow(rules, route, message, made, atMs)));
    return done.every((isDone) => isDone);
  };

  #unmatched(set: RuleSet, message: MqttMessage): void {
    const rule = set.subscribed(message)?.id ?? noRule;
    // Rules may leave out what the broker had kept.
    if (rule === noRule && message.retain) return;
    this.#options.counts.bad(rule, "unmatched");
    const text =
      rule === noRule
        ? "no rule is subscribed to its topic; the broker still has an earlier subscription of this client"
        : "no rule takes it";
    this.#bad(rule, message, { reason: "unmatched", text });
  }

  async #follow(
    rules: RulesNow,
    route: Route,
    message: MqttMessage,
    made: string,
    atMs: number,
  ): Promise<boolean> {
    const { rule } = route;
    const { counts, onResult } = this.#options;
    const open = counts.open(rule.id);
    try {
      const requestId = rule.requestId(message) ?? made;
      const outcome = await this.#outcome(rules, route, message, requestId, open);
      if (outcome === undefined) return false;
      open.stage = "after";
      const { answer, end } = outcome;
      const sent = answer === undefined ? "out" : await this.#publish(rule, message, answer, requestId);
      if (sent === "closed") return false;
      // A bad message is counted with its reason, when that is found.
      if (sent === "refused") counts.ended(rule.id, "refused");
      else if (end !== "bad") counts.ended(rule.id, end);
      if (sent === "out" && end === "answered") onResult(rule.id, performance.now() - atMs);
      return true;
    } catch (error) {
      // A fault of ours must neither lose the message in silence nor stop the others.
      counts.ended(rule.id, "failed");
      this.#options.log.error({ rule: rule.id, err: error }, "fault while a message was worked on");
      return true;
    } finally {
      open.close();
    }
  }

  /** What becomes of the message; undefined when the daemon stops first. */
  async #outcome(
    { stateOf, ready }: RulesNow,
    { rule, fault, answers }: Route,
    message: MqttMessage,
    requestId: string,
    open: OpenMessage,
  ): Promise<Outcome | undefined> {
    if (fault !== undefined) return this.#isBad(rule, message, fault, answers);
    const why = await ready(rule);
    if (why !== undefined)
      return this.#hasFailed(rule, { kind: "error", code: "model_not_found", text: why });
    const built = rule.request(message, stateOf(rule));
    if (built.kind === "bad") return this.#isBad(rule, message, built.fault, true);
    if (built.kind === "waiting") return { end: "collected" };
    const answer = await answerOf(built.request, requestId, {
      daemon: this.#options.daemon,
      stop: this.#stop.signal,
      onQueued: (queueId) => (open.queueId = queueId),
      onRetry: () => {
        open.queueId = undefined;
        this.#options.counts.retried(rule.id);
      },
    });
    if (answer === undefined) return undefined;
    return answer.kind === "error" ? this.#hasFailed(rule, answer) : { end: "answered", answer };
  }

  #isBad(rule: CompiledRule, message: MqttMessage, fault: BadMessage, answers: boolean): Outcome {
    this.#options.counts.bad(rule.id, fault.reason);
    this.#bad(rule.id, message, fault);
    const answer = { kind: "error", code: fault.reason, text: fault.text } as const;
    return { end: "bad", ...(answers && { answer }) };
  }

  #hasFailed(rule: CompiledRule, answer: RuleAnswer & { readonly kind: "error" }): Outcome {
    const { code, text: why } = answer;
    this.#warn(`failed ${rule.id} ${code}`, { rule: rule.id, code, why }, "no answer for a message");
    return { end: "failed", answer };
  }

  /** Publishes the result; where the broker refuses it, an error result that says so. */
  async #publish(
    rule: CompiledRule,
    message: MqttMessage,
    answer: RuleAnswer,
    requestId: string,
  ): Promise<Sent> {
    const first = await this.#send(rule, rule.result(message, answer, requestId));
    if (first !== "refused" || answer.kind === "error") return first;
    const error = {
      kind: "error",
      code: "answer_rejected",
      text: "the broker does not take the result",
    } as const;
    const second = await this.#send(rule, rule.result(message, error, requestId));
    return second === "closed" ? second : "refused";
  }

  async #send(rule: CompiledRule, published: Published): Promise<Sent> {
    if (published.kind === "none") {
      const { fault } = published;
      if (fault === undefined) return "out";
      this.#warn(
        `result ${rule.id} ${fault.reason}`,
        { rule: rule.id, why: fault.text },
        "no result for a message",
      );
      return "refused";
    }
    const { publication } = published;
    try {
      await this.#handOver(publication);
      return "out";
    } catch (error) {
      if (!(error instanceof PublishRefused)) return "closed";
      const facts = { rule: rule.id, broker: publication.broker, topic: shortened(publication.topic) };
      this.#warn(
        `refused ${rule.id} ${error.message}`,
        { ...facts, why: error.message },
        "a result was refused",
      );
      return "refused";
    }
  }

  /** Rejects with a PublishRefused, or with another error when the daemon stops. */
  async #handOver(publication: Publication): Promise<void> {
    const why = topicFault(publication.topic);
    if (why !== undefined) throw new PublishRefused(`the topic cannot be published to; ${why}`);
    for (;;) {
      const link = this.#options.linkOf(publication.broker);
      if (link === undefined) throw new PublishRefused(`there is no broker ${publication.broker} any more`);
      try {
        return await link.publish(publication);
      } catch (error) {
        if (error instanceof PublishRefused || this.#stop.signal.aborted) throw error;
        // The rule file names another address for the broker, to which there is a connection soon.
        await delay(replacedMs);
      }
    }
  }

  #bad(rule: string, { topic }: MqttMessage, { reason, text }: BadMessage): void {
    this.#warn(`bad ${rule} ${reason}`, { rule, reason, topic: shortened(topic), why: text }, "bad message");
  }

  #warn(kind: string, facts: object, text: string): void {
    const leftOut = this.#throttle.pass(kind, performance.now());
    if (leftOut === undefined) return;
    this.#options.log.warn({ ...facts, ...(leftOut > 0 && { leftOut }) }, text);
  }
}
