/**
 * Who is subscribed at the embedded broker. Its subscriptions are gone with the daemon, and devices may send again what
 * was not acknowledged before those who wait for the results are back. So for a while after the start, a result whose
 * topic nobody is subscribed to waits for somebody. The device's acknowledgement waits with it, but only for seconds,
 * because some clients subscribe again only when everything that they sent is acknowledged.
 */
import { topicMatches } from "../rules/view/topic-text.ts";

export interface LateSubscribersOptions {
  /** How long after the start results wait for subscribers, in milliseconds. */
  readonly settleMs: number;
  /** How long after the last device has connected their acknowledgements wait as well, in milliseconds. */
  readonly holdMs: number;
  /** Most bytes of results that wait. */
  readonly mostBytes: number;
  readonly nowMs: () => number;
}

/** A result that waits. */
interface LateResult {
  readonly topic: string;
  readonly bytes: number;
  readonly send: () => void;
}

/** Devices whose subscriptions are known, and topics of each. Results for others do not wait. */
const most = { devices: 10_000, topics: 1_000 };
const lookEveryMs = 100;

export class LateSubscribers {
  readonly #options: LateSubscribersOptions;
  readonly #topics = new Map<string, Set<string>>();
  #late: LateResult[] = [];
  #bytes = 0;
  #held = new Set<() => void>();
  #settledAtMs = 0;
  #holdUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LateSubscribersOptions) {
    this.#options = options;
  }

  start(): void {
    this.#settledAtMs = this.#options.nowMs() + this.#options.settleMs;
    this.connected();
    this.#timer = setInterval(() => this.#look(), lookEveryMs).unref();
  }

  /** Nothing waits any more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#settledAtMs = this.#holdUntilMs = 0;
    this.#release();
    for (const { send } of this.#late.splice(0)) send();
    this.#topics.clear();
  }

  connected(): void {
    this.#holdUntilMs = Math.min(this.#settledAtMs, this.#options.nowMs() + this.#options.holdMs);
  }

  subscribed(device: string, topics: readonly string[]): void {
    if (this.#isSettled()) return;
    const known = this.#topics.get(device) ?? new Set();
    if (this.#topics.size < most.devices) this.#topics.set(device, known);
    for (const topic of topics) if (known.size < most.topics) known.add(topic);
    const [goes, waits]: [LateResult[], LateResult[]] = [[], []];
    for (const each of this.#late)
      (topics.some((topic) => topicMatches(topic, each.topic)) ? goes : waits).push(each);
    this.#late = waits;
    for (const { bytes, send } of goes) {
      this.#bytes -= bytes;
      send();
    }
  }

  unsubscribed(device: string, topics: readonly string[]): void {
    for (const topic of topics) this.#topics.get(device)?.delete(topic);
  }

  left(device: string): void {
    this.#topics.delete(device);
  }

  /**
   * Publishes a result now, or when somebody is subscribed to its topic. Resolves when it is published, or when its device
   * may be told although it is not.
   */
  async deliver(topic: string, bytes: number, publish: () => Promise<void>): Promise<void> {
    const hasRoom = this.#bytes + bytes <= this.#options.mostBytes;
    if (this.#isSettled() || !hasRoom || this.#isAwaited(topic)) return publish();
    this.#bytes += bytes;
    const published = new Promise<void>((resolve, reject) => {
      this.#late.push({ topic, bytes, send: () => void publish().then(resolve, reject) });
    });
    const released = new Promise<void>((resolve) => {
      if (this.#options.nowMs() >= this.#holdUntilMs) resolve();
      else this.#held.add(resolve);
    });
    // It may be refused when nobody listens any more.
    published.catch(() => {});
    await Promise.race([published, released]);
  }

  #isSettled(): boolean {
    return this.#options.nowMs() >= this.#settledAtMs;
  }

  #isAwaited(topic: string): boolean {
    for (const topics of this.#topics.values())
      for (const each of topics) if (topicMatches(each, topic)) return true;
    return false;
  }

  #look(): void {
    if (this.#isSettled()) this.stop();
    else if (this.#options.nowMs() >= this.#holdUntilMs) this.#release();
  }

  #release(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const resolve of held) resolve();
  }
}
