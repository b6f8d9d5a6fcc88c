/** Makes zips for tests byte by byte, also such as no honest program would make. */
import { Buffer } from "node:buffer";
import { crc32, deflateRawSync } from "node:zlib";

export interface TinyEntry {
  readonly name: string;
  readonly content: Buffer;
  /** Unix file type and permissions. */
  readonly mode?: number;
  /** What the zip says that the content has, in bytes; the truth by default. */
  readonly claimedBytes?: number;
}

const deflated = 8;
const unix = 3;

export function tinyZip(entries: readonly TinyEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, content, mode = 0o100644, claimedBytes = content.length } of entries) {
    const packed = deflateRawSync(content);
    const fileName = Buffer.from(name);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(deflated, 4);
    facts.writeUInt32LE(crc32(content), 10);
    facts.writeUInt32LE(packed.length, 14);
    facts.writeUInt32LE(claimedBytes, 18);
    facts.writeUInt16LE(fileName.length, 22);
    locals.push(Buffer.from("PK\x03\x04"), facts, fileName, packed);
    const more = Buffer.alloc(14);
    more.writeUInt32LE((mode << 16) >>> 0, 6);
    more.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, unix]);
    centrals.push(Buffer.from("PK\x01\x02"), madeBy, facts, more, fileName);
    offset += 4 + facts.length + fileName.length + packed.length;
  }
  const central = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, central, end]);
}
