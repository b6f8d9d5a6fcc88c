/**
 * One request and its answer, as the short ways in see them (`HotRoute`): above Node's HTTP server (`NodeExchange`), or
 * right on a socket (`PlainExchange`).
 */
import type { RequestHead } from "../../access/request-head.ts";

export interface HotExchange {
  readonly method: string;
  /** The request target as sent. */
  readonly url: string;
  readonly head: RequestHead;
  /** Whether all of the body has come. */
  readonly isComplete: boolean;
  /** Calls a listener once the connection ends before the answer. Returns what takes the listener off. */
  whenGone(listener: () => void): () => void;
  /**
   * Gives the body in pieces, whose memory is the reader's, the first perhaps before it returns. `onEnd` tells of the end
   * of a body of unknown length; of others the length tells. Returns what stops reading.
   */
  readBody(onPiece: (piece: Uint8Array) => void, onEnd: () => void): () => void;
  /** Reads and drops the body; resolves at its end, or when the caller goes away. */
  dropBody(): Promise<void>;
  /** After an answer that came before the end of the body: drops the rest, or ends the connection where that is much. */
  dropRest(): void;
  /**
   * Answers, once. The memory of the pieces must stay as it is until they are sent.
   *
   * @param headers names and values in turn, without `content-length`
   */
  answer(status: number, headers: string[], parts: readonly Uint8Array[]): void;
}

/**
 * Takes requests before the app sees them, for what must cost little; true: it has taken this one, and answers it. It is
 * asked when the head is there, and must leave the body of what it does not take.
 */
export type HotRoute = (exchange: HotExchange) => boolean;

/** How long, and how many bytes of, the rest of a body is read after its answer, before the connection is ended. */
export const [longestRestMs, mostRestBytes] = [500, 2 ** 26];

/** A body up to this goes out in one write with its head: copying it costs less than a second write. */
export const mostInOne = 2 ** 14;

/** Whether a piece holds memory that is many times its own, such as that of a whole batch, until its caller has read it. */
export function isOfMuchMore({ length, buffer }: Uint8Array): boolean {
  return buffer.byteLength > 4 * length;
}

export function latin1Of(part: Uint8Array): string {
  const bytes = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.length);
  return bytes.toString("latin1");
}
