/** The daemon's cap on money: from its flags, with what the file of an earlier run says, and told of in the log. */
import type { Logger } from "pino";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import type { DaemonOptions } from "./options.ts";
import { SpendCap } from "../targets/spend-cap.ts";
import { longestStartMs, mostCost } from "../transports/capped-transport.ts";
import type { MenuFunction } from "../../serverless/prices/function-menu.ts";
import { UsageError } from "../../base/usage-error.ts";
import { openSpendFile } from "./spend-file.ts";

/** Goes on from the wall clock of the start, and is not set meanwhile. */
export function spendClockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** @throws UsageError when a cap is below what one call may cost, or the file cannot be used */
export function openSpendCap(
  options: DaemonOptions,
  functions: readonly MenuFunction[],
  sheet: PriceSheet,
  log: Logger,
): SpendCap {
  const { functionTimeout, maxSpendPerHour = Infinity, maxSpendPerDay = Infinity, spendFile } = options;
  const functionTimeoutMs = functionTimeout * 1_000;
  for (const { name, ...size } of functions) {
    const costOf = (durationMs: number): number => callCost(sheet, size, durationMs).cost;
    const most = mostCost({ functionTimeoutMs, costOf });
    for (const [flag, limit] of [
      ["max-spend-per-hour", maxSpendPerHour],
      ["max-spend-per-day", maxSpendPerDay],
    ] as const) {
      if (limit >= most) continue;
      const atLeast = `${Number(most.toPrecision(4))} ${sheet.currency}`;
      throw new UsageError(
        `--${flag} is ${limit}; allowed: at least ${atLeast}, what one call of ${name} may cost with` +
          ` --function-timeout ${functionTimeout}`,
      );
    }
  }
  const onTaken = (): void =>
    log.error({ spendFile }, "another queue has taken the spend file over: functions are called no more");
  const file = spendFile === undefined ? undefined : openSpendFile(spendFile, sheet.currency, onTaken);
  if ((file?.saved?.claimed ?? 0) > 0) {
    const why = "a queue that used it was killed, or still runs and will call no functions from now on";
    log.warn({ spendFile, claimed: file?.saved?.claimed }, `the spend file was not closed: ${why}`);
  }
  return new SpendCap({
    limits: { perHour: maxSpendPerHour, perDay: maxSpendPerDay },
    currency: sheet.currency,
    longestCallMs: functionTimeoutMs + longestStartMs,
    nowMs: spendClockMs(),
    saved: file?.saved,
    save: file?.save,
    onReached: (why) => log.warn({ why }, "spend cap reached: functions are left alone, the edge goes on"),
    onOver: () => log.info("spend cap no longer reached: functions are called again"),
  });
}
