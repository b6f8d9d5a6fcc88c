/** The closed loop: a number of callers, each of which asks again as soon as it is answered. */

export interface ClosedLoopOptions {
  /** Callers at once. */
  readonly concurrency: number;
  /** Most requests in all. */
  readonly requests: number;
  /** How long new ones are sent. */
  readonly durationMs: number;
  /** Ends the sending early; what was sent is still waited for. */
  readonly stop: AbortSignal;
}

/** @param send one request that is due now, `dueAtMs` of the monotonic clock; never rejects */
export async function closedLoop(
  { concurrency, requests, durationMs, stop }: ClosedLoopOptions,
  send: (dueAtMs: number) => Promise<void>,
): Promise<void> {
  const untilMs = performance.now() + durationMs;
  let left = requests;
  const caller = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < untilMs; nowMs = performance.now()) {
      if (left === 0 || stop.aborted) return;
      left--;
      await send(nowMs);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
}
