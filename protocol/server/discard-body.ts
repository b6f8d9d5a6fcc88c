/** What becomes of a body that nobody wants: it is read and dropped for a while, since a caller that still sends may not see its answer. */
import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Semaphore } from "../../base/semaphore.ts";

/** Only a few refused bodies are read at once, so that a flood of them leaves room for accepted ones. */
const discarding = new Semaphore(4);
/** How long a slow sender of a refused body may hold its place. */
const longestDiscardMs = 1_000;
/**
 * A body up to this is in the buffers of the two sides, so its sender sees the answer, and Node's HTTP server drops it
 * afterwards. Reading it first would cost more than everything else about a refusal.
 */
export const smallBodyBytes = 65_536;

/** How long, and how many bytes of, the rest of a body is read after its answer, before the connection is ended. */
const [longestRestMs, mostRestBytes] = [500, 2 ** 26];

/** @param discard reads and drops a body; resolves at its end */
export function discardBody(discard: () => Promise<unknown> | undefined): Promise<void> {
  return discarding.run(async () => {
    await Promise.race([discard(), delay(longestDiscardMs, undefined, { ref: false })]);
  });
}

/** Reads and drops what comes; resolves at its end, or when the caller goes away. */
export function dropped(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (incoming.readableEnded || incoming.destroyed) return resolve();
    incoming.once("end", resolve).once("close", resolve).resume();
  });
}

/** After an answer that came before the end of the body: drops the rest, or ends the connection where that is much. */
export function dropRest(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.destroyed) return;
  let bytes = 0;
  const ended = new AbortController();
  const stop = (): void => {
    ended.abort();
    incoming.off("data", onData).off("end", stop).off("close", stop);
  };
  const cutOff = (): void => {
    stop();
    incoming.socket.destroySoon();
  };
  const onData = (piece: Uint8Array): void => {
    bytes += piece.length;
    if (bytes > mostRestBytes) cutOff();
  };
  delay(longestRestMs, undefined, { ref: false, signal: ended.signal }).then(cutOff, () => {});
  incoming.on("data", onData).once("end", stop).once("close", stop).resume();
}
