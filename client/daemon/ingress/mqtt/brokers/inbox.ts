/**
 * The messages of one broker that wait for their turn: so many are worked on at once, and the others wait here as long as
 * there is room for their bytes. What has no room is left with the broker.
 */

/** A message as the inbox knows it. */
export interface InboxMessage {
  readonly bytes: number;
  /** Works on it; must not reject. */
  readonly begin: () => Promise<void>;
  /** It is given up before it has begun, because the broker delivers it again. Undefined: the broker does not. */
  readonly giveUp?: () => void;
}

export interface InboxOptions {
  /** Most messages that are worked on at once. */
  readonly mostAtOnce: number;
  /** Most bytes of all messages here; one message is taken whatever its size. */
  readonly mostBytes: number;
  /** Most messages that wait here. Default: 10,000. */
  readonly mostWaiting?: number;
  /** Everything that was taken has ended. */
  readonly onEmpty?: () => void;
}

const usualWaiting = 10_000;

export class Inbox {
  readonly #options: InboxOptions;
  #waiting: InboxMessage[] = [];
  #begun = 0;
  #bytes = 0;
  #isStopped = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Bytes of all messages that are here. */
  get bytes(): number {
    return this.#bytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get begun(): number {
    return this.#begun;
  }

  /**
   * Takes a message, which begins when its turn comes.
   *
   * @returns false when there is no room for it, or nothing is taken any more
   */
  offer(message: InboxMessage): boolean {
    const { mostBytes, mostWaiting = usualWaiting } = this.#options;
    const isFirst = this.#begun === 0 && this.#waiting.length === 0;
    const hasRoom =
      isFirst || (this.#bytes + message.bytes <= mostBytes && this.#waiting.length < mostWaiting);
    if (this.#isStopped || !hasRoom) return false;
    this.#bytes += message.bytes;
    this.#waiting.push(message);
    this.#next();
    return true;
  }

  /** Gives up what has not begun and comes again. */
  giveUp(): void {
    const [kept, given]: [InboxMessage[], InboxMessage[]] = [[], []];
    for (const each of this.#waiting) (each.giveUp === undefined ? kept : given).push(each);
    this.#waiting = kept;
    for (const { bytes, giveUp } of given) {
      this.#bytes -= bytes;
      giveUp?.();
    }
  }

  /** From now on nothing is taken, and only what would be lost still begins. */
  stop(): void {
    this.#isStopped = true;
    this.giveUp();
  }

  #next(): void {
    while (this.#begun < this.#options.mostAtOnce) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begun++;
      void next.begin().finally(() => {
        this.#begun--;
        this.#bytes -= next.bytes;
        this.#next();
        if (this.#begun === 0 && this.#waiting.length === 0) this.#options.onEmpty?.();
      });
    }
  }
}
