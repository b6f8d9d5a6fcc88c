/** The progress of a replay as one line: a bar if its end is known, the speed, and the remaining time. On terminals only. */
import { createProgress, progressBar } from "../../base/program/progress.ts";

export interface ReplayState {
  readonly name: string;
  readonly requests: number;
  /** Moment of the trace that has been reached. */
  readonly atMs: number;
  /** Share that is done, 0 to 1; undefined when the end of the trace is unknown. */
  readonly part: number | undefined;
  /** Time since this replay began, above 0. */
  readonly elapsedMs: number;
}

const nameLength = 16;

export function progressText({ name, requests, atMs, part, elapsedMs }: ReplayState): string {
  const speed = `${thousands((requests / elapsedMs) * 1_000)} requests/s`;
  const head = name.padEnd(nameLength);
  if (part === undefined) {
    return `${head} ${thousands(requests)} requests, ${thousands(atMs / 1_000)} s of the trace, ${speed}`;
  }
  const done = Math.min(1, part);
  const leftS = done === 0 ? "" : `, ${thousands(Math.ceil((elapsedMs * (1 / done - 1)) / 1_000))} s left`;
  return `${head} ${progressBar(done)}  ${speed}${leftS}`;
}

/** Shows the progress of one replay after another; nothing if the stream is not a terminal. */
export interface ReplayProgress {
  /** A replay begins; `end` is its number of requests or its last moment, as far as known. */
  readonly begin: (name: string, end: { readonly requests?: number; readonly lastAtMs?: number }) => void;
  /** That many requests have arrived up to that moment. */
  readonly reached: (requests: number, atMs: number) => void;
  readonly end: () => void;
}

export function createReplayProgress(stream: NodeJS.WriteStream): ReplayProgress {
  if (!stream.isTTY) return { begin: () => {}, reached: () => {}, end: () => {} };
  const progress = createProgress(stream);
  let name = "";
  let end: Parameters<ReplayProgress["begin"]>[1] = {};
  let beganAtMs = 0;
  const partOf = (requests: number, atMs: number): number | undefined => {
    if (end.requests !== undefined) return end.requests === 0 ? 1 : requests / end.requests;
    return end.lastAtMs === undefined ? undefined : atMs / end.lastAtMs;
  };
  return {
    begin: (...of) => {
      [name, end] = of;
      beganAtMs = performance.now();
    },
    reached: (requests, atMs) => {
      const elapsedMs = Math.max(1, performance.now() - beganAtMs);
      progress.show(() => progressText({ name, requests, atMs, part: partOf(requests, atMs), elapsedMs }));
    },
    end: () => progress.end(),
  };
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString("en");
}
