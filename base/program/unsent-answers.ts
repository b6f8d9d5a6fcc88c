/**
 * Ends connections whose callers do not read their answers: those that take nothing for a while, those that take an answer
 * drop by drop, and, when all answers together are too much memory, those that have had theirs the longest.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

export interface UnsentBounds {
  /** Longest time in which nothing of an answer is taken. */
  readonly stallMs: number;
  /** Longest time that an answer may take from its end, beside `msPerMib` for its size. */
  readonly answerMs: number;
  readonly msPerMib: number;
  /** Most bytes of all answers that are not taken yet. One that ended less than `graceMs` ago is never cut off for it. */
  readonly mostBytes: number;
  readonly graceMs: number;
}

/** At least 64 KiB a second, after the first minute. */
const defaultUnsentBounds: UnsentBounds = {
  stallMs: 30_000,
  answerMs: 60_000,
  msPerMib: 16_000,
  mostBytes: 2 ** 29,
  graceMs: 1_000,
};

/** What is needed of an answer; a `ServerResponse` is one. */
export interface WatchedAnswer {
  readonly req: { readonly socket: Socket };
  readonly writableEnded: boolean;
  /** Bytes that are not sent yet. */
  readonly writableLength: number;
  setTimeout(ms: number, onTimeout: () => void): unknown;
  destroy(): unknown;
  /** `close`: it needs nobody any more. */
  once(event: "close", listener: () => void): unknown;
}

interface OpenAnswer {
  readonly response: WatchedAnswer;
  /** When the whole of it was first seen to be there; undefined while it is made. */
  endedAtMs?: number;
  untilMs: number;
}

/** Looks after an answer from now on. */
export type WatchAnswer = (response: WatchedAnswer) => void;

/**
 * Looks after the answers of a server from now on, until it is closed.
 *
 * @param watchesAll false: after those alone that it is told of, since whoever has nothing left to send need not tell
 */
export function boundUnsentAnswers(
  server: Server,
  bounds: Partial<UnsentBounds> = {},
  watchesAll = true,
): WatchAnswer {
  const { stallMs, answerMs, msPerMib, mostBytes, graceMs } = { ...defaultUnsentBounds, ...bounds };
  /** The oldest first. */
  const answers = new Set<OpenAnswer>();

  const ended = (answer: OpenAnswer, nowMs: number): void => {
    const { response } = answer;
    answer.endedAtMs = nowMs;
    answer.untilMs = nowMs + answerMs + (response.writableLength / 2 ** 20) * msPerMib;
    // Node starts it anew whenever the other side has taken something, and replaces it once all is taken.
    response.setTimeout(stallMs, () => cutOff(response));
  };

  const look = (): void => {
    const nowMs = performance.now();
    let bytes = 0;
    for (const answer of answers) {
      const { response } = answer;
      // It waited behind another on its connection, and is told nothing of the end.
      if (response.req.socket.destroyed) {
        answers.delete(answer);
        continue;
      }
      if (answer.endedAtMs === undefined && response.writableEnded) ended(answer, nowMs);
      if (nowMs > answer.untilMs) cutOff(response);
      else bytes += response.writableLength;
    }
    for (const { response, endedAtMs = Infinity } of answers) {
      if (bytes <= mostBytes) return;
      if (nowMs - endedAtMs < graceMs) continue;
      bytes -= response.writableLength;
      cutOff(response);
    }
  };

  const timer = setInterval(look, Math.min(graceMs, 250)).unref();
  server.once("close", () => clearInterval(timer));
  const watch: WatchAnswer = (response) => {
    const answer = { response, untilMs: Infinity };
    answers.add(answer);
    response.once("close", () => answers.delete(answer));
  };
  if (watchesAll) server.on("request", (_, response) => watch(response));
  return watch;
}

/** With all that waits behind it on its connection. */
function cutOff(response: WatchedAnswer): void {
  response.req.socket.destroy();
  response.destroy();
}
