/** The results of a job as they come: lines of JSON, or server-sent events with its progress between them. */
import { Buffer } from "node:buffer";
import { cutLines } from "../../../../protocol/result-line.ts";
import { type Job, rowAfter } from "./job.ts";

/** How often events tell the progress, which also keeps connections open. */
const progressMs = 1_000;

/** Results are sent as they are: compressed, they would be held back until there are enough of them. */
const asTheyCome = { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" };

/** @param closing ends the stream early, when the daemon stops */
export function linesAnswer(job: Job, from: number, closing: AbortSignal): Response {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, closing]);
  const headers = {
    ...asTheyCome,
    "content-type": "application/x-ndjson",
    "spillway-job-rows": String(job.rows),
  };
  return new Response(streamOf(job.lines(from, signal), stop), { headers });
}

/**
 * `result` events have a line of results each, and as their id the first row that is still to come, from which a browser
 * goes on when it connects again; `progress` and `end` have the status.
 */
export function eventsAnswer(job: Job, from: number, closing: AbortSignal): Response {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, closing]);
  const headers = { ...asTheyCome, "content-type": "text/event-stream" };
  return new Response(streamOf(eventsOf(job, from, signal), stop), { headers });
}

async function* eventsOf(job: Job, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
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

/** A piece is read when the one before it was taken. */
function streamOf(pieces: AsyncGenerator<Uint8Array>, stop: AbortController): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const piece = await pieces.next();
        if (piece.done === true) controller.close();
        else controller.enqueue(piece.value);
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 0 },
  );
}
