/** Which replica gets a batch, and what the log says of one that has run. */
import type { Logger } from "pino";
import type { ModelBatch } from "./model-queue.ts";
import type { PendingRequest } from "./pending-request.ts";
import type { ReplicaPoolOptions } from "./replica-pool-options.ts";
import type { ServiceTimes } from "./service-times.ts";
import { kindOf } from "./waiting-work.ts";

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

export function freeCount(replicas: readonly { readonly isFree: boolean }[]): number {
  let free = 0;
  for (const { isFree } of replicas) if (isFree) free++;
  return free;
}

export function upCount(replicas: readonly { readonly state: string }[]): number {
  let up = 0;
  for (const { state } of replicas) if (state === "up") up++;
  return up;
}

/** The log has seconds, to the millisecond. */
export function logBatch(
  log: Logger,
  where: { readonly model: string; readonly replica: number },
  { requests, rows }: ModelBatch<PendingRequest>,
  serviceMs: number,
  startedAtMs: number,
): void {
  if (!log.isLevelEnabled("info")) return;
  const queuedMs = startedAtMs - (requests[0] as PendingRequest).arrivedAtMs;
  const times = { inferenceS: seconds(serviceMs), queueingS: seconds(queuedMs) };
  log.info({ ...where, requests: requests.length, rows, ...times }, "batch");
}

/** Learns from a batch that has run just now. */
export function learnTime(
  times: ServiceTimes,
  { requests, rows }: ModelBatch<PendingRequest>,
  startedAtMs: number,
): void {
  const nowMs = performance.now();
  times.observe(kindOf(requests[0] as PendingRequest), rows, nowMs - startedAtMs, nowMs);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
