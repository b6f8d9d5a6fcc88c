/** A zip of files as the input of a job: each file is one row of bytes. A file is unpacked when its turn comes. */
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { type Entry, fromBufferPromise, type ZipFile } from "yauzl";
import { shortened, showValue } from "../../../../base/error-text.ts";
import { checkZipEntry } from "../../../../protocol/server/zip-entry.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import { fileRequest } from "../../../../protocol/server/predict.ts";
import type { JobInput } from "./job-input.ts";

const mostEntries = 100_000;
/** Memory that an entry takes beside the zip. */
const entryBytes = 500;
/** Files that programs add and nobody means: those of macOS, and hidden ones. */
const unmeant = /(^|\/)(__MACOSX\/|\.)/;

export interface ZipInputOptions {
  /** Name of the model's input. */
  readonly input: string;
  /** Largest file, in bytes. */
  readonly mostFileBytes: number;
  /** Most bytes of all files together, unpacked. */
  readonly mostBytes: number;
}

/** @throws ProtocolError that names the entry and what is wrong with it (rejects) */
export async function zipInput(body: Uint8Array, options: ZipInputOptions): Promise<JobInput> {
  const zip = await opened(body);
  const entries = await checkedEntries(zip, options).catch((error: Error) => {
    throw error instanceof ProtocolError ? error : new ProtocolError(plain(error.message));
  });
  return {
    bytes: body.byteLength + entryBytes * entries.length,
    rows: entries.length,
    items: async function* () {
      for (const entry of entries) {
        const name = entry.fileName;
        const file = await unpacked(zip, entry).catch(
          (error: Error) =>
            new ProtocolError(`${showValue(name)} cannot be unpacked: ${plain(error.message)}`),
        );
        const request = file instanceof Error ? file : fileRequest(options.input, [file]);
        yield { request, rows: 1, name };
      }
    },
  };
}

async function opened(body: Uint8Array): Promise<ZipFile> {
  try {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return await fromBufferPromise(buffer);
  } catch (error) {
    throw new ProtocolError(`the body is no zip: ${plain((error as Error).message)}`);
  }
}

/** yauzl itself refuses absolute names, `..` and backslashes, and files that unpack to more than they say. */
async function checkedEntries(zip: ZipFile, options: ZipInputOptions): Promise<Entry[]> {
  const { mostFileBytes, mostBytes } = options;
  if (zip.entryCount > mostEntries)
    throw new ProtocolError(`the zip has ${zip.entryCount} entries; allowed: at most ${mostEntries}`, 413);
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    checkZipEntry(entry);
    const name = entry.fileName;
    if (name.endsWith("/") || unmeant.test(name)) continue;
    const size = entry.uncompressedSize;
    if (size > mostFileBytes)
      throw tooMuch(`${showValue(name)} in the zip unpacks to ${size} bytes`, mostFileBytes);
    bytes += size;
    if (bytes > mostBytes) throw tooMuch(`the files of the zip unpack to more`, mostBytes);
    entries.push(entry);
  }
  if (entries.length === 0)
    throw new ProtocolError("the zip has no files; allowed: one or more, such as pictures");
  return entries;
}

function tooMuch(what: string, most: number): ProtocolError {
  return new ProtocolError(`${what}; allowed: at most ${most} bytes`, 413);
}

async function unpacked(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const stream: Readable = await zip.openReadStreamPromise(entry);
  const bytes = new Uint8Array(entry.uncompressedSize);
  let at = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The messages of yauzl end without a stop, and may quote what is in the zip. */
function plain(message: string): string {
  return shortened(message);
}
