/** How far a replay is, as one line: a bar where its end is known, speed, and what is left. On terminals only. */
import { createProgress, progressBar } from "../../base/program/progress.ts";

export interface ReplayStand {
  readonly name: string;
  readonly requests: number;
  /** Moment of the trace that is reached. */
  readonly atMs: number;
  /** Part that is done, 0 to 1; undefined when the trace's end is not known. */
  readonly part: number | undefined;
  /** Since this replay began, above 0. */
  readonly elapsedMs: number;
}

const nameLength = 16;

export function standText({ name, requests, atMs, part, elapsedMs }: ReplayStand): string {
  const speed = `${thousands((requests / elapsedMs) * 1_000)} requests/s`;
  const head = name.padEnd(nameLength);
  if (part === undefined) {
    return `${head} ${thousands(requests)} requests, ${thousands(atMs / 1_000)} s of the trace, ${speed}`;
  }
  const done = Math.min(1, part);
  const leftS = done === 0 ? "" : `, ${thousands(Math.ceil((elapsedMs * (1 / done - 1)) / 1_000))} s left`;
  return `${head} ${progressBar(done)}  ${speed}${leftS}`;
}

/** Shows how one replay after another stands on stderr, and nothing where that is no terminal. */
export interface ReplayProgress {
  /** A replay begins; `end` tells where it ends, as far as that is known. */
  readonly begin: (name: string, end: { readonly requests?: number; readonly lastAtMs?: number }) => void;
  /** So many requests have arrived up to that moment. */
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
      progress.show(() => standText({ name, requests, atMs, part: partOf(requests, atMs), elapsedMs }));
    },
    end: () => progress.end(),
  };
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString("en");
}
