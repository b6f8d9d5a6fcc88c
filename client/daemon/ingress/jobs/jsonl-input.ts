/** A body of JSON lines as the input of a job. All lines are checked before the job is taken, and read again when they run. */
import { setImmediate as othersFirst, setTimeout as delay } from "node:timers/promises";
import { OverloadedError, ProtocolError } from "../../../../protocol/errors.ts";
import { isV2Request, lineRequest } from "../../../../protocol/line-request.ts";
import { checkNoSequence, type InferRequest, type ModelMetadata } from "../../../../protocol/message.ts";
import { type MessageCodec, mostQuickBytes } from "../../../../protocol/server/message-codec.ts";
import type { JobInput } from "./job-input.ts";
import { rowsIn } from "./job-input.ts";

/** Most lines of a body. */
export const mostLines = 2 ** 20;
/** How long lines are read before other work has its turn. */
const turnMs = 4;
/** When threads that are busy are asked again. */
const threadsBusyMs = 200;
const newline = 0x0a;

/**
 * @param metadata what the model takes; undefined: lines must be V2 requests
 * @throws ProtocolError that names the first line that is wrong (rejects)
 */
export async function jsonlInput(
  body: Uint8Array,
  metadata: ModelMetadata | undefined,
  codec: MessageCodec,
): Promise<JobInput> {
  const lines = linesOf(body);
  const read = (index: number): Promise<InferRequest> =>
    readLine(body.subarray(lines.starts[index], lines.ends[index]), metadata, codec).catch((error: Error) => {
      if (!(error instanceof ProtocolError)) throw error;
      throw new ProtocolError(`line ${lines.numbers[index]}: ${error.message}`, error.status);
    });
  let rows = 0;
  let turnEndsAtMs = performance.now() + turnMs;
  const count = lines.starts.length;
  if (count === 0) throw new ProtocolError("the body has no lines; allowed: a request or a row on each line");
  for (let index = 0; index < count; index++) {
    rows += rowsIn(await read(index));
    if (performance.now() < turnEndsAtMs) continue;
    await othersFirst();
    turnEndsAtMs = performance.now() + turnMs;
  }
  return {
    bytes: body.byteLength + 24 * count,
    rows,
    items: async function* () {
      for (let index = 0; index < count; index++) {
        const request = await read(index);
        yield { request, rows: rowsIn(request), line: lines.numbers[index] };
      }
    },
  };
}

/** A long V2 request is read in a thread. */
async function readLine(
  line: Uint8Array,
  metadata: ModelMetadata | undefined,
  codec: MessageCodec,
): Promise<InferRequest> {
  if (line.length <= mostQuickBytes || !isV2Request(line)) return lineRequest(line, metadata);
  for (;;) {
    try {
      const request = await codec.read({ body: line.slice() }, metadata);
      checkNoSequence(request);
      return request;
    } catch (error) {
      if (!(error instanceof OverloadedError)) throw error;
      await delay(threadsBusyMs);
    }
  }
}

/** Where the lines begin and end that are not empty, and their numbers from 1. */
function linesOf(body: Uint8Array): Record<"starts" | "ends" | "numbers", number[]> {
  const [starts, ends, numbers]: number[][] = [[], [], []];
  let start = 0;
  for (let number = 1; start < body.length; number++) {
    const at = body.indexOf(newline, start);
    const end = at < 0 ? body.length : at;
    if (!isBlank(body, start, end)) {
      starts?.push(start);
      ends?.push(end);
      numbers?.push(number);
    }
    if (number > mostLines) throw new ProtocolError(`the body has more lines than ${mostLines}`, 413);
    start = end + 1;
  }
  return { starts: starts ?? [], ends: ends ?? [], numbers: numbers ?? [] };
}

/** Whether there is nothing but spaces, tabs and returns. */
function isBlank(body: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
