/**
 * Makes a zip whose bytes depend only on the paths and contents of the files: entries are sorted, and their times and modes
 * are constant. The same package has the same checksum, so that an unchanged one is not uploaded again.
 */
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";
import type { PackageFile } from "./package-files.ts";

const deflate = promisify(deflateRaw);

const versionNeeded = 20;
const madeByUnix = (3 << 8) | versionNeeded;
const namesAreUtf8 = 1 << 11;
const deflated = 8;
const midnight = 0;
/** 1980-01-01, the first day that a zip can name. */
const date = (1 << 5) | 1;
/** A regular file that everyone may read and execute, because it is unknown which user runs the function. */
const attributes = (0o100755 << 16) >>> 0;
/** Beyond these limits the format needs its 64-bit extension. */
const maxBytes = 0xffffffff;
const maxEntries = 0xffff;

/** @throws RangeError when there are more than 65,535 files, or 4 GiB of them */
export async function zip(files: readonly PackageFile[]): Promise<Buffer> {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  if (sorted.length > maxEntries) throw new RangeError(`${sorted.length} files; a zip holds ${maxEntries}`);
  const packed = await Promise.all(sorted.map(({ content }) => deflate(content)));
  const parts: Uint8Array[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [index, { path, content }] of sorted.entries()) {
    const body = packed[index] as Buffer;
    const name = Buffer.from(path);
    // The fields that stand both before a file and in the directory.
    const fields = Buffer.concat([
      u16(versionNeeded, namesAreUtf8, deflated, midnight, date),
      u32(crc32(content), body.length, content.length),
      u16(name.length, 0),
    ]);
    directory.push(text("PK\x01\x02"), u16(madeByUnix), fields, u16(0, 0, 0), u32(attributes, offset), name);
    const local = [text("PK\x03\x04"), fields, name, body];
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
    if (Math.max(offset, content.length) > maxBytes) throw new RangeError("a zip holds at most 4 GiB");
  }
  const entries = Buffer.concat(directory);
  const counts = u16(0, 0, sorted.length, sorted.length);
  return Buffer.concat([...parts, entries, text("PK\x05\x06"), counts, u32(entries.length, offset), u16(0)]);
}

/** Numbers of 16 bits, little-endian. */
function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, 2 * index);
  return bytes;
}

/** Numbers of 32 bits, little-endian. */
function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
}

function text(latin1: string): Buffer {
  return Buffer.from(latin1, "latin1");
}
