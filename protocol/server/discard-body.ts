/** What becomes of a body that nobody wants: it is read and dropped for a while, since a caller that still sends may not see its answer. */
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

/** @param discard reads and drops a body; resolves at its end */
export function discardBody(discard: () => Promise<unknown> | undefined): Promise<void> {
  return discarding.run(async () => {
    await Promise.race([discard(), delay(longestDiscardMs, undefined, { ref: false })]);
  });
}
