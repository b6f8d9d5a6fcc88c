/**
 * The file in which the money spent outlives the daemon. It is replaced as a whole and reaches the disk before the
 * call that it counts is made. A daemon that starts with the file of one that still runs takes it over: the other one
 * finds that out before its next call that is not yet counted, and calls functions no more.
 */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import type { SavedSpend } from "../targets/spend-cap.ts";
import { whyUnreadable, whyUnwritable } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";

const bins = z.array(z.tuple([z.number().int(), z.number().min(0)]));
const spendFile = z.strictObject({
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
 * @param onTaken told once, when another daemon has taken the file over
 * @throws UsageError when the file is none of ours, in another currency, or cannot be read
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
        throw new Error(`${path} is used by another queue now, so this one calls no functions`);
      }
      write(path, owner, JSON.stringify({ format: "spillway-spend/1", owner, currency, ...saved }));
      isOurs = true;
    },
  };
}

function read(path: string): z.output<typeof spendFile> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`--spend-file: ${path}: ${whyUnreadable(error)}`);
  }
  try {
    return spendFile.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`--spend-file: ${path}: is no record of money spent; remove it to begin anew`);
  }
}

/** @param owner keeps what two daemons write at the same time apart */
function write(path: string, owner: string, text: string): void {
  const next = `${path}.${owner}.next`;
  try {
    const file = openSync(next, "wx", 0o600);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(next, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(next, { force: true });
    throw new UsageError(`--spend-file: ${path}: ${whyUnwritable(error)}`);
  }
}

/** The new name reaches the disk with the folder, not with the file. Windows opens no folders. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
