/** Waits for a promise for a limited time. */
import { setTimeout as delay } from "node:timers/promises";

/** Whether a promise that never rejects is fulfilled within that time. */
export async function fulfilsWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController();
  const late = delay(ms, false, { signal: stop.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    stop.abort();
  }
}
