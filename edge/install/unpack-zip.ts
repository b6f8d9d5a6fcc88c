/** Unpacks a zip from a stranger: nothing outside its folder, no links, and no more bytes than allowed. */
import { showValue } from "../../base/error-text.ts";
import { checkZipEntry } from "../../protocol/server/zip-entry.ts";
import type { Hash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise } from "yauzl";

export interface UnpackLimits {
  /** Most bytes of all files together. */
  readonly maxBytes: number;
  /** Whether files that are executable in the zip stay so. Default: none is executable. */
  readonly keepExecutable?: boolean;
}

const mostEntries = 10_000;
const mostFolders = 16;
/** How much larger a file may be than in the zip, and all files than the zip. Deflate reaches 1032; weights of models reach some tens. */
const highestRatio = 200;
/** A file up to this size may have any ratio, and so may all files together. */
const anyRatioBytes = 2 ** 20;

const ownerMayRun = 0o100;

/** @throws Error that names the entry and what is wrong with it; what was unpacked until then stays in the folder */
export async function unpackZip(zipPath: string, folder: string, limits: UnpackLimits): Promise<void> {
  const zip = await openPromise(zipPath);
  try {
    if (zip.entryCount > mostEntries)
      throw new Error(`the zip has ${zip.entryCount} entries; allowed: at most ${mostEntries}`);
    // Of the file on the disk: entries may share their bytes, so that what they say they have is more than there is.
    const { size } = await stat(zipPath);
    let bytesLeft = Math.min(limits.maxBytes, Math.max(anyRatioBytes, size * highestRatio));
    for await (const entry of zip.eachEntry()) {
      const path = pathOf(entry, folder);
      if (entry.fileName.endsWith("/")) {
        await mkdir(path, { recursive: true });
        continue;
      }
      const allowed = Math.min(bytesLeft, Math.max(anyRatioBytes, entry.compressedSize * highestRatio));
      await mkdir(dirname(path), { recursive: true });
      const tooMuch = `${showValue(entry.fileName)} in the zip unpacks to too much; allowed: at most ${allowed} bytes`;
      bytesLeft -= await writeBounded(await zip.openReadStreamPromise(entry), path, allowed, tooMuch);
      if (limits.keepExecutable === true && ((entry.externalFileAttributes >>> 16) & ownerMayRun) !== 0) {
        await chmod(path, 0o755);
      }
    }
  } finally {
    zip.close();
  }
}

/** Where an entry goes. yauzl itself refuses absolute names, `..` and backslashes. */
function pathOf(entry: Entry, folder: string): string {
  const name = entry.fileName;
  checkZipEntry(entry);
  const path = resolve(folder, name);
  if (!path.startsWith(join(folder, sep)))
    throw new Error(`${showValue(name)} in the zip leads out of its folder`);
  if (name.split("/").length > mostFolders)
    throw new Error(`${showValue(name)} in the zip is too deep; allowed: at most ${mostFolders} folders`);
  return path;
}

/** Writes a new file and returns how many bytes it has; more than allowed are an Error with the message `tooMuch`. */
export async function writeBounded(
  stream: Readable,
  path: string,
  maxBytes: number,
  tooMuch: string,
  hash?: Hash,
): Promise<number> {
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(tooMuch);
      hash?.update(chunk);
      yield chunk;
    }
  };
  // "wx" refuses a second entry of the same name.
  await pipeline(stream, counted, createWriteStream(path, { flags: "wx" }));
  return bytes;
}
