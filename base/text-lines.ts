/** Text as lines: of a file, unpacked when it is gzip whatever its name, and of the output of a child process. */
import { Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { whyUnreadable } from "./error-text.ts";
import { InputError } from "./usage-error.ts";

/** A file that is read from its start as often as it is opened. */
export interface TextFile {
  /** For messages. */
  readonly name: string;
  open(): AsyncIterable<Uint8Array>;
}

/** A file with a longer line than this is not a text file of ours. */
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
      if (rest.length > maxLineLength)
        throw new InputError(file.name, `${lines + block.length + 1}:1`, "the line does not end");
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

/** Unpacks the bytes when they begin with gzip's two magic bytes. */
async function* unpacked(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  const whole = rejoined(first.value, chunks);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* whole;
    return;
  }
  // When the source fails, the pipeline destroys the unpacker with the same error, which the reader then sees.
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

/** Hand every line of a stream to `onLine`, cut after `maxChars` characters, so that endless lines fill no memory. */
export function forEachLine(stream: Readable, maxChars: number, onLine: (line: string) => void): void {
  let line = "";
  const emit = (): void => {
    const text = line.length > maxChars ? `${line.slice(0, maxChars)}…` : line;
    line = "";
    onLine(text.endsWith("\r") ? text.slice(0, -1) : text);
  };
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    for (const [index, piece] of chunk.split("\n").entries()) {
      if (index > 0) emit();
      // One character more than is shown tells a cut line from one that just fits.
      line += piece.slice(0, maxChars + 1 - line.length);
    }
  });
  stream.on("end", () => {
    if (line !== "") emit();
  });
  // A broken pipe means that the child has ended, which its exit reports.
  stream.on("error", () => undefined);
}
