/** Explains to the caller why no target served a request. */
import { SpillwayError } from "../../base/errors.ts";
import type { FailuresAt } from "./request.ts";

/** What is known of a request that was not served. */
interface Lost {
  readonly attempts: number;
  readonly lastFailure: SpillwayError | undefined;
  /** Why it may no longer be sent to functions; undefined while it may. */
  readonly barredFor: SpillwayError | undefined;
  /** Why a target did not admit it last. */
  readonly notAdmittedFor: SpillwayError | undefined;
  readonly eligible: { has(target: number): boolean };
  readonly past: { readonly at: ReadonlyMap<number, FailuresAt> } | undefined;
}

/** What is known of a target that did not serve it. */
interface Unused {
  readonly name: string;
  readonly kind: "edge" | "serverless";
  readonly inFlight: number;
  latencyMs(key: string): number;
  pauseReason(nowMs: number, model: string): SpillwayError | undefined;
}

/** The targets of a queue, by index. */
interface Slots {
  readonly all: readonly Unused[];
  serialAt(index: number): number;
  isThere(index: number, key?: string): boolean;
}

/** Most characters of what one target said. */
const longestReason = 200;

/**
 * Why each target did not serve a request: `edge: did not answer within 500 ms (2 calls); small: paused (spent)`.
 *
 * @param targets of the queue; those that were removed are left out
 */
export function reasonsOf(
  lost: Lost & { readonly key: string },
  targets: Slots,
  model: string,
  nowMs: number,
): string {
  return targets.all
    .flatMap((target, index) => {
      if (!targets.isThere(index)) return [];
      const reason = targets.isThere(index, lost.key)
        ? reasonAt(lost, target, { index, serial: targets.serialAt(index) }, model, nowMs)
        : "does not have the model";
      return [`${target.name}: ${reason}`];
    })
    .join("; ");
}

function reasonAt(
  { key, past, barredFor, notAdmittedFor, eligible }: Lost & { readonly key: string },
  target: Unused,
  { index, serial }: { readonly index: number; readonly serial: number },
  model: string,
  nowMs: number,
): string {
  const failed = past?.at.get(serial);
  if (failed !== undefined) {
    const calls = failed.calls > 1 ? ` (${failed.calls} calls)` : "";
    return `${cut(failed.last.message)}${calls}`;
  }
  const pause = target.pauseReason(nowMs, model);
  if (pause !== undefined) return `paused (${cut(pause.message)})`;
  if (!eligible.has(index)) return cut(barredFor?.message ?? "not allowed for this request");
  if (target.kind === "serverless" && notAdmittedFor !== undefined) return cut(notAdmittedFor.message);
  const takes = `a call takes about ${Math.ceil(target.latencyMs(key))} ms`;
  return target.inFlight > 0 ? `busy with ${target.inFlight} batches; ${takes}` : `no time left; ${takes}`;
}

/** Its end is cut off with the stop that ends a sentence. */
function cut(message: string): string {
  return (message.length > longestReason ? `${message.slice(0, longestReason)}…` : message).replace(
    /\.$/,
    "",
  );
}

/** The same error, with those reasons behind its message. */
export function withReasons(error: SpillwayError, reasons: string): SpillwayError {
  const { code, message, retryAfterMs, isOfTarget } = error;
  const start = message.endsWith(".") ? message : `${message}.`;
  return new SpillwayError(code, `${start} ${reasons}.`, { cause: error, retryAfterMs, isOfTarget });
}

/**
 * The error of a request that was still waiting when it was given up: a request that was sent and failed reports that
 * failure, because its caller needs to know it. A request that was never sent reports why no target took it.
 *
 * @example
 * deadlineRefusal({ ...request, attempts: 2, lastFailure: new SpillwayError("target_fault", "it broke") }).message;
 * // "Sent 2 times and failed (it broke); its deadline came before another try."
 *
 * @param refusal why a target refuses every batch now
 * @param pause why a target is paused now
 */
export function deadlineRefusal(
  { attempts, lastFailure, barredFor, notAdmittedFor }: Lost,
  refusal?: SpillwayError,
  pause?: SpillwayError,
): SpillwayError {
  const refused = barredFor ?? refusal ?? notAdmittedFor;
  if (lastFailure !== undefined) {
    const times = attempts === 1 ? "once" : `${attempts} times`;
    const then =
      refused === undefined ? "its deadline came before another try" : `not sent again (${refused.message})`;
    return new SpillwayError(
      "deadline_passed",
      `Sent ${times} and failed (${lastFailure.message}); ${then}.`,
      { cause: lastFailure },
    );
  }
  if (refused !== undefined) return refused;
  if (pause === undefined) return new SpillwayError("deadline_passed");
  return new SpillwayError(
    "deadline_passed",
    `Not sent before its deadline: a target was paused (${pause.message}).`,
    { cause: pause },
  );
}
