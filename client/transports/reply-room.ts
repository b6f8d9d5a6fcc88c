/**
 * The memory that replies may take together while they are read. Where it is full, the longest one is given up: it is
 * the one without an end, if there is one, and the others go on.
 */
import { SpillwayError } from "../../base/errors.ts";
import { OpenMap } from "../../base/memory/open-list.ts";

/** The place of one reply. */
export interface ReplyPlace {
  /** So many bytes more have come. */
  grow(bytes: number): void;
  /** The reply has been read, or was given up. */
  close(): void;
}

interface OpenReply {
  bytes: number;
  readonly giveUp: (error: SpillwayError) => void;
}

/**
 * @example
 * const room = new ReplyRoom(1_000);
 * const place = room.open((error) => body.destroy(error));
 * place.grow(600);
 * place.close();
 */
export class ReplyRoom {
  readonly #mostBytes: number;
  readonly #open = new OpenMap<OpenReply, true>();
  #bytes = 0;

  /** @param mostBytes of all replies that are read at the same time */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param giveUp called at most once, with the error that the reply ends with; it must not throw */
  open(giveUp: (error: SpillwayError) => void): ReplyPlace {
    const reply: OpenReply = { bytes: 0, giveUp };
    this.#open.set(reply, true);
    return {
      grow: (bytes) => {
        if (!this.#open.has(reply)) return;
        reply.bytes += bytes;
        this.#bytes += bytes;
        while (this.#bytes > this.#mostBytes) this.#giveUpLongest();
      },
      close: () => this.#close(reply),
    };
  }

  #giveUpLongest(): void {
    let longest: OpenReply | undefined;
    for (const [reply] of this.#open)
      if (longest === undefined || reply.bytes > longest.bytes) longest = reply;
    if (longest === undefined) return;
    this.#close(longest);
    const why = `answers have more than ${this.#mostBytes} bytes together, and this one is the longest`;
    longest.giveUp(new SpillwayError("target_fault", why));
  }

  #close(reply: OpenReply): void {
    if (this.#open.delete(reply)) this.#bytes -= reply.bytes;
  }
}
