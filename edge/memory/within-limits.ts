/** Ends waiting at a request's deadline, and when its caller goes away. */
import type { Abortable } from "../../base/program/hang-up.ts";
import type { RunLimits } from "../models/model-runner.ts";
import { callerHungUp, deadlinePassed } from "../replicas/pending-request.ts";

/** Settles like `waited`, or rejects with a ProtocolError: 504 at the deadline, 499 when the caller has gone. */
export async function withinLimits(
  waited: Promise<unknown>,
  { deadlineAtMs = Infinity, hungUp }: RunLimits,
): Promise<void> {
  if (hungUp?.aborted === true) throw callerHungUp();
  const done = new AbortController();
  const ends = [waited];
  if (deadlineAtMs < Infinity) ends.push(atDeadline(deadlineAtMs, done.signal));
  if (hungUp !== undefined) ends.push(atHangUp(hungUp, done.signal));
  try {
    await Promise.race(ends);
  } finally {
    done.abort();
  }
}

function atDeadline(deadlineAtMs: number, done: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(deadlinePassed()), Math.max(0, deadlineAtMs - performance.now()));
    done.addEventListener("abort", () => clearTimeout(timer));
  });
}

function atHangUp(hungUp: Abortable, done: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onHungUp = (): void => reject(callerHungUp());
    hungUp.addEventListener("abort", onHungUp);
    done.addEventListener("abort", () => hungUp.removeEventListener("abort", onHungUp));
  });
}
