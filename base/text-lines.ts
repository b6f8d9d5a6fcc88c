/** The lines of a text file as a stream of blocks, unpacked when it is gzip, whatever its name says. */
import { Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { whyUnreadable } from "./file-fault.ts";
import { InputError } from "./input-error.ts";

/** A file that is read from its start as often as it is opened. */
export interface TextFile {
  /** For messages. */
  readonly name: string;
  open(): AsyncIterable<Uint8Array>;
}

/** No line of a trace is near this long; a file without line ends is none. */
const maxLineLength = 1_000_000;

/**
 * The file's lines without their ends, in blocks of as many as were read at once.
 *
 * @throws InputError when the file cannot be read or unpacked, or a line has more than 1,000,000 characters
 */
export async function* readLines(file: TextFile): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let lines = 0;
  try {
    for await (const bytes of unpacked(file.open())) {
      const block = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = block.pop() as string;
      if (rest.length > maxLineLength) {
        throw new InputError(file.name, `${lines + block.length + 1}:1`, "the line does not end");
      }
      lines += block.length;
      yield withoutReturns(block);
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(file.name, lines === 0 ? "" : `${lines + 1}:1`, whyUnreadable(error));
  }
  rest += decoder.decode();
  if (rest !== "") yield withoutReturns([rest]);
}

function withoutReturns(lines: string[]): string[] {
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as string;
    if (line.endsWith("\r")) lines[index] = line.slice(0, -1);
  }
  return lines;
}

/** What follows is gzip when it begins with gzip's two magic bytes. */
async function* unpacked(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  const whole = rejoined(first.value, chunks);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* whole;
    return;
  }
  // An error of the source reaches the reader through the unpacker, which the pipeline destroys with it.
  yield* pipeline(Readable.from(whole), createGunzip(), () => {}) as AsyncIterable<Uint8Array>;
}

async function* rejoined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
