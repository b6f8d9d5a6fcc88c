/** The results of a job as they come: lines of JSON, or server-sent events with its progress between them. */
import { Buffer } from "node:buffer";
import { cutLines } from "../../../../protocol/result-line.ts";
import { rowAfter } from "./job.ts";
import type { JobView } from "./job-book.ts";

/** How often events tell the progress, which also keeps connections open. */
const progressMs = 1_000;

/** Results are sent as they are: compressed, they would be held back until there are enough of them. */
const asTheyCome = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };

/** Who reads the results. */
export interface JobReader {
  /** Ends the stream early, when the daemon stops. */
  readonly closing: AbortSignal;
  readonly end: () => void;
}

export function linesAnswer(job: JobView, from: number, reader: JobReader): Response {
  const headers = {
    ...asTheyCome,
    "content-type": "application/x-ndjson",
    "spillway-job-rows": String(job.rows),
  };
  return new Response(
    streamOf((signal) => job.lines(from, signal), reader),
    { headers },
  );
}

/**
 * `result` events have a line of results each, and as their id the first row that is still to come, from which a browser
 * goes on when it connects again; `progress` and `end` have the status.
 */
export function eventsAnswer(job: JobView, from: number, reader: JobReader): Response {
  const headers = { ...asTheyCome, "content-type": "text/event-stream" };
  return new Response(
    streamOf((signal) => eventsOf(job, from, signal), reader),
    { headers },
  );
}

async function* eventsOf(job: JobView, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield eventOf("progress", JSON.stringify(job.status()));
  const pieces = job.lines(from, signal);
  let toldAtMs = performance.now();
  let next = pieces.next();
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<undefined>((resolve) => {
      const leftMs = Math.max(0, toldAtMs + progressMs - performance.now());
      timer = setTimeout(() => resolve(undefined), leftMs);
    });
    const piece = await Promise.race([next, pause]);
    clearTimeout(timer);
    if (piece?.done === true || signal.aborted) break;
    if (piece !== undefined) {
      yield Buffer.concat(cutLines(piece.value).lines.map(resultEvent));
      next = pieces.next();
    }
    if (performance.now() < toldAtMs + progressMs) continue;
    toldAtMs = performance.now();
    yield eventOf("progress", JSON.stringify(job.status()));
  }
  if (job.status().state !== "running") yield eventOf("end", JSON.stringify(job.status()));
}

function resultEvent(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length - 1);
  return Buffer.concat([
    Buffer.from(`event: result\nid: ${rowAfter(line)}\ndata: `),
    text,
    Buffer.from("\n\n"),
  ]);
}

function eventOf(name: string, data: string): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${data}\n\n`);
}

/** A piece is read when the one before it was taken. A stream that is cut off ends with an error, not as if it were whole. */
function streamOf(
  piecesOf: (signal: AbortSignal) => AsyncGenerator<Uint8Array>,
  { closing, end }: JobReader,
): ReadableStream<Uint8Array> {
  const stop = new AbortController();
  const pieces = piecesOf(AbortSignal.any([stop.signal, closing]));
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const piece = await pieces.next();
        if (piece.done !== true) return controller.enqueue(piece.value);
        end();
        if (closing.aborted) controller.error(new Error("the daemon stops"));
        else controller.close();
      },
      cancel: () => {
        end();
        stop.abort();
      },
    },
    { highWaterMark: 0 },
  );
}
