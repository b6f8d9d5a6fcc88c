/** Which replica gets a batch, and what the log says of one that has run. */
import type { Logger } from "pino";
import type { ReplicaPoolOptions } from "./replica-pool-options.ts";

/** A free replica: the first one, or in turn the next one after the last; undefined when none is free. */
export function nextFree<R extends { readonly isFree: boolean; readonly index: number }>(
  replicas: readonly R[],
  balance: ReplicaPoolOptions["balance"],
  last: number,
): R | undefined {
  let first: R | undefined;
  for (const replica of replicas) {
    if (!replica.isFree) continue;
    if (balance === "least-work" || replica.index > last) return replica;
    first ??= replica;
  }
  return first;
}

export function upCount(replicas: readonly { readonly state: string }[]): number {
  let up = 0;
  for (const { state } of replicas) if (state === "up") up++;
  return up;
}

/** The log has seconds, to the millisecond. */
export function logBatch(log: Logger, facts: object, serviceMs: number, queuedMs: number): void {
  log.info({ ...facts, inferenceS: seconds(serviceMs), queueingS: seconds(queuedMs) }, "batch");
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
