/** What is counted of messages, by rule: what waits before and after inference, how messages ended, and what was bad. */
import type { BadMessageReason } from "../rules/message.ts";

/** How a message ended at a rule. */
export const messageEnds = [
  /** Its answer was published, or the rule wants none. */
  "answered",
  /** There was no answer; the rule's error result went out, or it wants none. */
  "failed",
  /** It was bad; see the reasons. */
  "bad",
  /** A window has too few values yet. */
  "collected",
  /** The broker has refused the result. */
  "refused",
  /** It came at QoS 0 or 2, and there was no room for it. */
  "dropped",
] as const;

export type MessageEnd = (typeof messageEnds)[number];

/** What waits, in the words of those who operate plants. */
export interface QueueSize {
  /** Messages that came and whose requests were not sent to a model yet. */
  readonly preQueue: number;
  /** Answers that are there and whose results are not out yet. */
  readonly postQueue: number;
}

/** A message on its way through a rule. */
export interface OpenMessage {
  stage: "before" | "after";
  /** Id of its request in the queue, once it is there. */
  queueId: number | undefined;
}

interface RuleCount {
  readonly open: Set<OpenMessage>;
  readonly ends: Map<MessageEnd, number>;
  readonly bad: Map<BadMessageReason, number>;
  retries: number;
}

/** Stands for the rule of messages that none is subscribed to, which old sessions at a broker may bring. */
export const noRule = "none";

export class RuleCounts {
  readonly #rules = new Map<string, RuleCount>();
  readonly #isWaiting: (queueId: number) => boolean;

  /** @param isWaiting whether a request of the queue has rows that were not sent */
  constructor(isWaiting: (queueId: number) => boolean) {
    this.#isWaiting = isWaiting;
  }

  /** Names the rules there are; what was counted of others is forgotten once nothing of them is open. */
  keep(rules: readonly string[]): void {
    for (const id of rules) this.#of(id);
    const kept = new Set([...rules, noRule]);
    for (const [id, { open }] of this.#rules) if (!kept.has(id) && open.size === 0) this.#rules.delete(id);
  }

  /** A message waits for a rule; `close` it when it has ended. */
  open(rule: string): OpenMessage & { readonly close: () => void } {
    const { open } = this.#of(rule);
    const message = {
      stage: "before" as const,
      queueId: undefined,
      close: (): void => {
        open.delete(message);
      },
    };
    open.add(message);
    return message;
  }

  ended(rule: string, end: MessageEnd): void {
    const { ends } = this.#of(rule);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }

  bad(rule: string, reason: BadMessageReason): void {
    const { bad } = this.#of(rule);
    bad.set(reason, (bad.get(reason) ?? 0) + 1);
    this.ended(rule, "bad");
  }

  /** A request was submitted once more. */
  retried(rule: string): void {
    this.#of(rule).retries++;
  }

  /** By rule. */
  sizes(): ReadonlyMap<string, QueueSize> {
    return new Map(
      Array.from(this.#rules, ([id, { open }]) => {
        let [preQueue, postQueue] = [0, 0];
        for (const { stage, queueId } of open)
          if (stage === "after") postQueue++;
          else if (queueId === undefined || this.#isWaiting(queueId)) preQueue++;
        return [id, { preQueue, postQueue }];
      }),
    );
  }

  /** Messages that are being worked on, in all. */
  get underWay(): number {
    return [...this.#rules.values()].reduce((sum, { open }) => sum + open.size, 0);
  }

  /** For a scrape. */
  *totals(): Iterable<{
    readonly rule: string;
    readonly ends: ReadonlyMap<MessageEnd, number>;
    readonly bad: ReadonlyMap<BadMessageReason, number>;
    readonly retries: number;
  }> {
    for (const [rule, { ends, bad, retries }] of this.#rules) yield { rule, ends, bad, retries };
  }

  #of(rule: string): RuleCount {
    let count = this.#rules.get(rule);
    if (count === undefined) {
      count = { open: new Set(), ends: new Map(), bad: new Map(), retries: 0 };
      this.#rules.set(rule, count);
    }
    return count;
  }
}
