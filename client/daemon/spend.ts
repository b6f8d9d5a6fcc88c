/**
 * The daemon's cap on money: made from its options, continued from the spend file of an earlier run, and reported in the
 * log. The file is replaced as a whole and is on the disk before the call that it counts is made. A daemon that starts
 * with the file of a running one takes it over; the other one notices before the next call that it has not counted, and
 * stops calling functions.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { z } from "zod";
import { whyUnwritable } from "../../base/error-text.ts";
import { readIfThere } from "../../base/files.ts";
import { replaceFile } from "../../base/output-file.ts";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import type { DaemonOptions } from "./options.ts";
import { type SavedSpend, SpendCap } from "../targets/spend-cap.ts";
import { longestStartMs, mostCost } from "../transports/capped-transport.ts";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import { UsageError } from "../../base/usage-error.ts";

/** The clock of the cap: the wall clock at the start plus monotonic time, so it never jumps. */
export function spendClockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** @throws UsageError when a cap is below what one call may cost, or the file cannot be used */
export function openSpendCap(
  options: DaemonOptions,
  functions: readonly FunctionVariant[],
  sheet: PriceSheet,
  log: Logger,
): SpendCap {
  const { functionTimeout, maxSpendPerHour = Infinity, maxSpendPerDay = Infinity, spendFile } = options;
  if (options.joinSpend && maxSpendPerHour === Infinity && maxSpendPerDay === Infinity)
    throw new UsageError(
      "--join-spend shares --max-spend-per-hour and --max-spend-per-day; give one of them",
    );
  const functionTimeoutMs = functionTimeout * 1_000;
  let mostOfCall = 0;
  for (const { name, ...size } of functions) {
    const costOf = (durationMs: number): number => callCost(sheet, size, durationMs).cost;
    const most = mostCost({ functionTimeoutMs, costOf });
    mostOfCall = Math.max(mostOfCall, most);
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
    log.error({ spendFile }, "another daemon took over the spend file: functions are not called any more");
  const file = spendFile === undefined ? undefined : openSpendFile(spendFile, sheet.currency, onTaken);
  if ((file?.saved?.claimed ?? 0) > 0) {
    const why = "its daemon was killed, or still runs and stops calling functions now";
    log.warn({ spendFile, claimed: file?.saved?.claimed }, `the spend file was not closed: ${why}`);
  }
  return new SpendCap({
    limits: { perHour: maxSpendPerHour, perDay: maxSpendPerDay },
    currency: sheet.currency,
    longestCallMs: functionTimeoutMs + longestStartMs,
    nowMs: spendClockMs(),
    saved: file?.saved,
    isShared: options.joinSpend,
    mostOfCall,
    save: file?.save,
    onReached: (why) => log.warn({ why }, "spend cap reached: functions are not called, the edge serves on"),
    onOver: () => log.info("below the spend cap again: functions are called"),
  });
}

const bins = z.array(z.tuple([z.number().int(), z.number().min(0)]));
const spendFileSchema = z.strictObject({
  format: z.literal("spillway-spend/1"),
  owner: z.string(),
  currency: z.string(),
  atMs: z.number(),
  claimed: z.number().min(0),
  hour: bins,
  day: bins,
});

export interface SpendFile {
  /** What an earlier run left; undefined when there was none. */
  readonly saved: SavedSpend | undefined;
  readonly save: (saved: SavedSpend) => void;
}

/**
 * Opens the file in which the money spent outlives the daemon.
 *
 * @param onTaken called once, when another daemon has taken over the file
 * @throws UsageError when the file is no spend file, is in another currency, or cannot be read
 */
export function openSpendFile(path: string, currency: string, onTaken: () => void = () => {}): SpendFile {
  const owner = randomUUID();
  let isOurs = false;
  let isTaken = false;
  const found = read(path);
  if (found !== undefined && found.currency !== currency) {
    throw new UsageError(`--spend-file: ${path}: is in ${found.currency}; the price sheet is in ${currency}`);
  }
  return {
    saved: found,
    save: (saved) => {
      if (isOurs && read(path)?.owner !== owner) {
        if (!isTaken) onTaken();
        isTaken = true;
        throw new Error(`${path} is used by another daemon now, so this one calls no functions`);
      }
      write(path, JSON.stringify({ format: "spillway-spend/1", owner, currency, ...saved }));
      isOurs = true;
    },
  };
}

function read(path: string): z.output<typeof spendFileSchema> | undefined {
  const text = readIfThere(path, `--spend-file: ${path}`);
  if (text === undefined) return undefined;
  try {
    return spendFileSchema.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`--spend-file: ${path}: is no record of money spent; remove it to start again`);
  }
}

function write(path: string, text: string): void {
  try {
    replaceFile(path, text, 0o600);
  } catch (error) {
    throw new UsageError(`--spend-file: ${path}: ${whyUnwritable(error)}`);
  }
}
