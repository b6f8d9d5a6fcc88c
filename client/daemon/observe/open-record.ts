/** Opens the record that a daemon was asked for: a file, or a folder of files. */
import { statSync } from "node:fs";
import type { Logger } from "pino";
import { RecordFile } from "./record-file.ts";
import { RecordFolder } from "./record-folder.ts";

/** Takes lines with their line feeds. */
export type OpenRecord = Pick<RecordFolder, "path" | "write" | "close">;

interface RecordOptions {
  readonly record?: string | undefined;
  readonly recordMib: number;
}

/** A path that ends in a slash, or at which a folder is. */
export function isRecordFolder(path: string | undefined): boolean {
  if (path === undefined) return false;
  return path.endsWith("/") || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * @param run what names of files and ids of requests begin with
 * @returns undefined when no record was asked for, or the disk takes none
 * @throws UsageError when nothing can be made there (rejects)
 */
export async function openRecord(
  { record: path, recordMib }: RecordOptions,
  run: string,
  log: Pick<Logger, "info" | "error">,
): Promise<OpenRecord | undefined> {
  if (path === undefined) return undefined;
  const onEnd = (why: string): void =>
    log.error({ record: path, why }, "the record ends here; serving goes on");
  const onRemoved = (file: string): void =>
    log.info({ record: path, file }, "the oldest file of the record was removed, to keep to --record-mib");
  const record = isRecordFolder(path)
    ? await RecordFolder.open(path, { run, mostBytes: recordMib * 2 ** 20, onEnd, onRemoved })
    : await RecordFile.open(path, { onEnd });
  if (record !== undefined) log.info({ record: record.path }, "recording");
  return record;
}
