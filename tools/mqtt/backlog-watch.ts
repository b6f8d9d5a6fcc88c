/** Looks at the backlog of a daemon while a load runs. */

export interface Backlog {
  /** Most messages that waited at once before and after inference, and those of the last look. */
  readonly mostPreQueue: number;
  readonly mostPostQueue: number;
  readonly lastPreQueue: number;
  readonly lastPostQueue: number;
}

const everyMs = 250;

export class BacklogWatch {
  readonly #url: string;
  readonly #timer: NodeJS.Timeout;
  #most = { pre: 0, post: 0 };
  #last = { pre: 0, post: 0 };
  #isAsking = false;

  /** @param url of the daemon */
  constructor(url: string) {
    this.#url = `${url.replace(/\/$/, "")}/queue_size_metrics`;
    this.#timer = setInterval(() => void this.#look(), everyMs);
  }

  async end(): Promise<Backlog> {
    clearInterval(this.#timer);
    await this.#look();
    return {
      mostPreQueue: this.#most.pre,
      mostPostQueue: this.#most.post,
      lastPreQueue: this.#last.pre,
      lastPostQueue: this.#last.post,
    };
  }

  async #look(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const reply = await fetch(this.#url, { signal: AbortSignal.timeout(5_000) });
      const { pre_queue: pre = 0, post_queue: post = 0 } = (await reply.json()) as Record<string, number>;
      this.#last = { pre, post };
      this.#most = { pre: Math.max(pre, this.#most.pre), post: Math.max(post, this.#most.post) };
    } catch {
      // A daemon that is away has no backlog to tell of.
    } finally {
      this.#isAsking = false;
    }
  }
}
