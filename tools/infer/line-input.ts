/** A file of lines as the input of `infer`: texts, or JSON. It is read once to check it, and again to send it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { whyUnreadable } from "../../base/error-text.ts";
import { InputError } from "../../base/usage-error.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { lineRequest } from "../../protocol/line-request.ts";
import type { InferRequest, ModelMetadata } from "../../protocol/message.ts";
import { fileInput } from "../../protocol/server/predict.ts";
import type { BulkInput } from "./bulk-input.ts";

/** Longest line, in bytes. */
const longestLine = 64 * 2 ** 20;
const newline = 0x0a;
const returnSign = 0x0d;

/**
 * @throws InputError that names the first line that is wrong, or says why the file cannot be read (rejects)
 */
export async function openLines(
  path: string,
  kind: "lines" | "jsonl",
  metadata: ModelMetadata,
): Promise<BulkInput> {
  const read = kind === "lines" ? textReader(path, metadata) : lineReader(path, metadata);
  const hash = createHash("sha256");
  let count = 0;
  for await (const { bytes, line } of linesOf(path, (chunk) => hash.update(chunk))) {
    if (isSkipped(bytes, kind)) continue;
    if (kind === "jsonl") read(bytes, line);
    count++;
  }
  if (count === 0) throw new InputError(path, "", "it has no lines");
  return {
    kind,
    count,
    digest: hash.digest("hex"),
    items: async function* (from) {
      let index = 0;
      for await (const { bytes, line } of linesOf(path)) {
        if (isSkipped(bytes, kind)) continue;
        if (index >= from) yield { index, line, request: read(bytes, line) };
        index++;
      }
    },
  };
}

/** An empty text is a row like any other; between JSON it is nothing. */
function isSkipped(bytes: Uint8Array, kind: "lines" | "jsonl"): boolean {
  return kind === "jsonl" && bytes.every((byte) => byte === 0x20 || byte === 0x09);
}

type LineReader = (bytes: Uint8Array, line: number) => InferRequest;

/** @throws InputError when the model does not take texts */
function textReader(path: string, metadata: ModelMetadata): LineReader {
  try {
    const name = fileInput(metadata);
    return (bytes) => ({
      parameters: {},
      inputs: [{ name, datatype: "BYTES", shape: [1], data: bytesOfElements([bytes]) }],
    });
  } catch (error) {
    throw new InputError(path, "", `${(error as Error).message}; or give JSON lines (--as jsonl)`);
  }
}

function lineReader(path: string, metadata: ModelMetadata): LineReader {
  return (bytes, line) => {
    try {
      return lineRequest(bytes, metadata);
    } catch (error) {
      if (error instanceof ProtocolError) throw new InputError(path, String(line), error.message);
      throw error;
    }
  };
}

/** The lines without their ends. Throws an InputError when the file cannot be read. */
async function* linesOf(
  path: string,
  onChunk: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly line: number }> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let line = 1;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>) {
      onChunk(chunk);
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        yield { bytes: whole(parts, chunk.subarray(start, end)), line };
        parts = [];
        length = 0;
        line++;
        start = end + 1;
      }
      if (start === chunk.length) continue;
      parts.push(chunk.subarray(start));
      length += chunk.length - start;
      if (length > longestLine)
        throw new InputError(path, String(line), `the line is longer than ${longestLine} bytes`);
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(path, "", whyUnreadable(error));
  }
  if (length > 0) yield { bytes: whole(parts, new Uint8Array()), line };
}

/** The parts of a line as one, without the return that some systems put at its end. */
function whole(parts: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  const bytes = parts.length === 0 ? last : Buffer.concat([...parts, last]);
  return bytes.at(-1) === returnSign ? bytes.subarray(0, -1) : bytes;
}
