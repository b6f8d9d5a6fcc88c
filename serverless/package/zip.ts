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
    const fields = headerFields(content, body, name);
    directory.push(directoryEntry(fields, offset), name);
    const local = [signature("PK\x03\x04"), fields, name, body];
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
    if (Math.max(offset, content.length) > maxBytes) throw new RangeError("a zip holds at most 4 GiB");
  }
  return Buffer.concat([
    ...parts,
    ...directory,
    endOf(sorted.length, Buffer.concat(directory).length, offset),
  ]);
}

/** The fields that stand both before a file and in the directory. */
function headerFields(content: Uint8Array, packed: Buffer, name: Buffer): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(versionNeeded, 0);
  fields.writeUInt16LE(namesAreUtf8, 2);
  fields.writeUInt16LE(deflated, 4);
  fields.writeUInt16LE(date, 8);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

function directoryEntry(fields: Buffer, offset: number): Buffer {
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(madeByUnix);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(attributes, 6);
  rest.writeUInt32LE(offset, 10);
  return Buffer.concat([signature("PK\x01\x02"), madeBy, fields, rest]);
}

function endOf(entries: number, directoryBytes: number, directoryOffset: number): Buffer {
  const end = Buffer.alloc(22);
  signature("PK\x05\x06").copy(end);
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryOffset, 16);
  return end;
}

function signature(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
