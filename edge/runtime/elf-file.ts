/**
 * Reads of an ELF file what the dynamic linker would look at, without running any of it: the machine it is built for, and
 * the symbol versions that it defines and needs. `libonnxruntime.so.1` of release 1.30.0 defines `VERS_1.30.0`, and the
 * binding needs it under that name.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface ElfFile {
  /** As `process.arch` names it, or `machine N` with ELF's number of another one. */
  readonly machine: string;
  /** Versions of its own symbols, such as `VERS_1.30.0`; the first is the name of the library itself. */
  readonly defines: readonly string[];
  /** By the name of another library, the versions that are needed of it. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
}

/** Most bytes of the table of names, and most entries of each other table: far more than any library has. */
const mostNameBytes = 2 ** 26;
const mostEntries = 4_096;
/** A header of 64-bit ELF, a program header, and an entry of the dynamic section, in bytes. */
const headerBytes = 64;
const segmentBytes = 56;
const dynamicBytes = 16;

const machines: Readonly<Record<number, string>> = { 3: "ia32", 40: "arm", 62: "x64", 183: "arm64" };
const loadable = 1;
const dynamic = 2;
/** Tags of the dynamic section. */
const tags = {
  strtab: 5,
  strsz: 10,
  verdef: 0x6ffffffc,
  verdefnum: 0x6ffffffd,
  verneed: 0x6ffffffe,
} as const;
const verneednum = 0x6fffffff;

/**
 * @param path of an executable or a shared library, 64 bits, little-endian
 * @throws Error that says why it is none: `is no shared library (ELF)`, or what of it is broken
 *
 * @example
 * readElf("/usr/lib/libonnxruntime.so.1").defines; // ["libonnxruntime.so.1", "VERS_1.30.0"]
 */
export function readElf(path: string): ElfFile {
  const file = openSync(path, "r");
  try {
    return readTables((at, bytes) => readAt(file, at, bytes));
  } finally {
    closeSync(file);
  }
}

type Read = (at: number, bytes: number) => Buffer;

function readAt(file: number, at: number, bytes: number): Buffer {
  const { size } = fstatSync(file);
  if (!(at >= 0 && bytes >= 0 && at + bytes <= size))
    throw new Error("is cut short: it has a table beyond its end");
  const read = Buffer.alloc(bytes);
  readSync(file, read, 0, bytes, at);
  return read;
}

function readTables(read: Read): ElfFile {
  const header = headerOf(read);
  const segments = entries(header.readUInt16LE(56), segmentBytes, (at, bytes) =>
    read(Number(header.readBigUInt64LE(32)) + at, bytes),
  ).map((entry) => ({
    kind: entry.readUInt32LE(0),
    offset: Number(entry.readBigUInt64LE(8)),
    address: Number(entry.readBigUInt64LE(16)),
    bytes: Number(entry.readBigUInt64LE(32)),
  }));
  const found = segments.find(({ kind }) => kind === dynamic);
  if (found === undefined) throw new Error("is no shared library: it has no dynamic section");
  const count = Math.floor(found.bytes / dynamicBytes);
  const byTag = new Map(
    entries(count, dynamicBytes, (at, bytes) => read(found.offset + at, bytes)).map((entry) => [
      Number(entry.readBigUInt64LE(0)),
      Number(entry.readBigUInt64LE(8)),
    ]),
  );
  const offsetOf = (address: number): number => {
    const segment = segments.find(
      (each) => each.kind === loadable && address >= each.address && address < each.address + each.bytes,
    );
    if (segment === undefined) throw new Error("is broken: a table of it is in no segment");
    return segment.offset + address - segment.address;
  };
  const nameBytes = byTag.get(tags.strsz) ?? 0;
  if (nameBytes > mostNameBytes) throw new Error("is broken: its table of names is too large");
  const names = read(offsetOf(byTag.get(tags.strtab) ?? 0), nameBytes);
  const nameAt = (at: number): string => {
    const end = names.indexOf(0, at);
    if (at >= names.length || end < 0) throw new Error("is broken: a name is outside of its table");
    return names.toString("latin1", at, end);
  };
  const table = (tag: number, countTag: number): { readonly at: number; readonly count: number } => {
    const address = byTag.get(tag);
    return address === undefined
      ? { at: 0, count: 0 }
      : { at: offsetOf(address), count: bounded(byTag.get(countTag) ?? 0) };
  };
  return {
    machine: machines[header.readUInt16LE(18)] ?? `machine ${header.readUInt16LE(18)}`,
    defines: definitions(read, table(tags.verdef, tags.verdefnum), nameAt),
    needs: requirements(read, table(tags.verneed, verneednum), nameAt),
  };
}

function headerOf(read: Read): Buffer {
  let header: Buffer;
  try {
    header = read(0, headerBytes);
  } catch {
    throw new Error("is no shared library (ELF)");
  }
  if (header.readUInt32BE(0) !== 0x7f454c46) throw new Error("is no shared library (ELF)");
  if (header[4] !== 2 || header[5] !== 1) throw new Error("is no shared library of 64 bits, little-endian");
  return header;
}

function entries(count: number, bytes: number, read: Read): Buffer[] {
  return Array.from({ length: bounded(count) }, (_, index) => read(index * bytes, bytes));
}

function bounded(count: number): number {
  if (count > mostEntries) throw new Error(`is broken: a table of it has ${count} entries`);
  return count;
}

interface Table {
  /** Where it begins in the file. */
  readonly at: number;
  readonly count: number;
}

/** The names in `.gnu.version_d`: entries that each say how far it is to their name and to the next entry. */
function definitions(read: Read, { at, count }: Table, nameAt: (at: number) => string): string[] {
  const found: string[] = [];
  for (let left = count, place = at; left > 0; left--) {
    const entry = read(place, 20);
    found.push(nameAt(read(place + entry.readUInt32LE(12), 8).readUInt32LE(0)));
    place += entry.readUInt32LE(16);
  }
  return found;
}

/** The names in `.gnu.version_r`: for each library a list of the versions that are needed of it. */
function requirements(
  read: Read,
  { at, count }: Table,
  nameAt: (at: number) => string,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (let left = count, place = at; left > 0; left--) {
    const entry = read(place, 16);
    const versions: string[] = [];
    let need = place + entry.readUInt32LE(8);
    for (let more = bounded(entry.readUInt16LE(2)); more > 0; more--) {
      const version = read(need, 16);
      versions.push(nameAt(version.readUInt32LE(8)));
      need += version.readUInt32LE(12);
    }
    found.set(nameAt(entry.readUInt32LE(4)), versions);
    place += entry.readUInt32LE(12);
  }
  return found;
}
