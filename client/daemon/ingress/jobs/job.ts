/**
 * A job: many rows that go through the queue as requests of few, some at a time, and whose results are kept in their order.
 * Every row ends in exactly one line: with its answer, or with why it has none.
 */
import { setMaxListeners } from "node:events";
import { SpillwayError } from "../../../../base/errors.ts";
import { cutLines, faultLine, rowsOfLine } from "../../../../protocol/result-line.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import type { Daemon } from "../../daemon.ts";
import type { LaneHints } from "../../lanes.ts";
import { itemsFrom, type JobInput } from "./job-input.ts";
import { piecesOf } from "./job-piece.ts";
import { JobResults } from "./job-results.ts";
import { faultOf, PieceServer, type WrittenLine } from "./piece-server.ts";
import type { RowRoom } from "./row-room.ts";

/** Most pieces that are under way or wait for an earlier one to be written, and most bytes of their lines. */
const mostPending = 1_024;
const mostPendingBytes = 2 ** 26;
export interface JobParts {
  readonly daemon: Pick<Daemon, "submit" | "ruleFor">;
  readonly codec: MessageCodec;
  /** Room for rows in the queue, shared with other jobs. */
  readonly room: RowRoom;
  /** What the caller said of lane and tenant. */
  readonly hints: LaneHints;
  /** Longest time of one request, and of waiting for room in the queue. */
  readonly timeoutMs: number;
  /** Takes bytes for results; an error when there are no more. */
  takeBytes(bytes: number): SpillwayError | undefined;
  /** Keeps the lines elsewhere than in a file of this process. */
  readonly keep?: (line: Uint8Array, of: Pick<WrittenLine, "rows" | "target">) => Promise<void>;
  /** What was done before, by another process; its rows have their lines. */
  readonly before?: Pick<JobStatus, "done" | "failed" | "served_by">;
}

export interface JobStatus {
  readonly state: "running" | "done" | "cancelled" | "stopped";
  readonly rows: number;
  /** Rows with a line of results. */
  readonly done: number;
  /** Of these, the ones without an answer. */
  readonly failed: number;
  /** Rows by the target that answered. */
  readonly served_by: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** As the rate so far says; absent when nothing is done yet, or all. */
  readonly seconds_left?: number;
  /** Why it did not come to its end. */
  readonly error?: string;
}

export class Job {
  readonly model: string;
  readonly rows: number;
  readonly results = new JobResults();
  /** Resolves when every row has its line. Never rejects. */
  readonly ended: Promise<void>;
  readonly #parts: JobParts;
  readonly #server: PieceServer;
  readonly #startedAtMs = performance.now();
  readonly #servedBy = new Map<string, number>();
  /** Nothing new is sent. */
  readonly #halt = new AbortController();
  /** What is under way is given up. */
  readonly #abort = new AbortController();
  #state: JobStatus["state"] = "running";
  #endedAtMs: number | undefined;
  #done = 0;
  #failed = 0;
  #pendingBytes = 0;
  /** Resolves when the lines of all that was sent are written. */
  #written = Promise.resolve();
  #isFull = false;
  #why: SpillwayError | undefined;
  /** Of the rows that were never sent. */
  #tail: Uint8Array | undefined;

  constructor(model: string, input: JobInput, parts: JobParts) {
    this.model = model;
    this.rows = input.rows;
    // Each request that is under way listens.
    setMaxListeners(0, this.#abort.signal);
    this.#parts = parts;
    if (parts.before !== undefined) {
      this.#done = parts.before.done;
      this.#failed = parts.before.failed;
      for (const [target, rows] of Object.entries(parts.before.served_by)) this.#servedBy.set(target, rows);
    }
    const { daemon, codec, hints, timeoutMs } = parts;
    const abort = this.#abort.signal;
    this.#server = new PieceServer({ daemon, codec, model, hints, timeoutMs, abort });
    this.ended = this.#run(input);
  }

  /** Rows that have a line of results, by whether they were answered. */
  get endedRows(): { readonly answered: number; readonly failed: number } {
    return { answered: this.#done - this.#failed, failed: this.#failed };
  }

  get state(): JobStatus["state"] {
    return this.#state;
  }

  status(): JobStatus {
    const seconds = ((this.#endedAtMs ?? performance.now()) - this.#startedAtMs) / 1_000;
    const isRunning = this.#state === "running";
    const left = (seconds / this.#done) * (this.rows - this.#done);
    return {
      state: this.#state,
      rows: this.rows,
      done: this.#done,
      failed: this.#failed,
      served_by: Object.fromEntries(this.#servedBy),
      seconds: rounded(seconds),
      ...(isRunning && this.#done > 0 && { seconds_left: rounded(left) }),
      ...(this.#why !== undefined && { error: this.#why.message }),
    };
  }

  /** Gives up what is under way and sends nothing new; the results so far stay. */
  cancel(): void {
    this.#stop(new SpillwayError("cancelled", "the job was cancelled"));
  }

  /** Sends nothing new, and keeps the answers of what is under way. */
  close(): void {
    this.#why ??= new SpillwayError("queue_closed", "the daemon was stopped before it came to this row");
    this.#halt.abort(this.#why);
  }

  /** Like `JobResults.read`, with the rows at the end that were never sent. */
  async *lines(from: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* this.results.read(from, signal);
    if (this.#tail !== undefined && !signal.aborted && rowAfter(this.#tail) > from) yield this.#tail;
  }

  /** The line of the rows that were never sent, once the job has ended without them. */
  get tail(): Uint8Array | undefined {
    return this.#tail;
  }

  /** The lines that there are now, each by itself, from the one that has row `from`. */
  async *linesNow(from: number): AsyncGenerator<Uint8Array> {
    const isEnded = this.#state !== "running";
    for await (const piece of this.results.read(from, new AbortController().signal, true))
      yield* cutLines(piece).lines;
    if (isEnded && this.#tail !== undefined && rowAfter(this.#tail) > from) yield this.#tail;
  }

  #stop(why: SpillwayError): void {
    this.#why ??= why;
    this.#halt.abort(this.#why);
    this.#abort.abort(this.#why);
  }

  async #run(input: JobInput): Promise<void> {
    try {
      await this.#sendAll(input);
    } catch (error) {
      this.#stop(new SpillwayError("target_fault", `the job failed: ${(error as Error).message}`));
    }
    await this.#written;
    this.#finish();
  }

  async #sendAll(input: JobInput): Promise<void> {
    const { daemon, room } = this.#parts;
    const pending: Promise<void>[] = [];
    const from = this.#done;
    const items = from === 0 ? input.items() : itemsFrom(input.items(), from);
    const pieces = piecesOf(items, (request) => daemon.ruleFor(this.model, request), from);
    for await (const piece of pieces) {
      while (pending.length >= mostPending || (pending.length > 0 && this.#pendingBytes > mostPendingBytes))
        await pending.shift();
      if (!(await room.take(piece.rows, this.#halt.signal))) return;
      const served = this.#server.serve(piece).finally(() => room.give(piece.rows));
      this.#written = this.#writeAfter(this.#written, served);
      pending.push(this.#written);
    }
  }

  #finish(): void {
    const left = this.rows - this.#done;
    if (left > 0) {
      const why = this.#why ?? new SpillwayError("target_fault", "the job ended early");
      this.#tail = faultLine({ row: this.#done, rows: left }, faultOf(why));
      this.#done += left;
      this.#failed += left;
    }
    this.#endedAtMs = performance.now();
    // A daemon that stops may have sent everything before.
    if (this.#why === undefined || (left === 0 && !this.#abort.signal.aborted)) this.#state = "done";
    else this.#state = this.#why.code === "cancelled" ? "cancelled" : "stopped";
    this.results.end();
  }

  /** Writes lines in their order. Never rejects: from a line on that cannot be kept, none is. */
  async #writeAfter(earlier: Promise<void>, served: Promise<readonly WrittenLine[]>): Promise<void> {
    const lines = await served;
    this.#pendingBytes += lines.reduce((sum, { line }) => sum + line.length, 0);
    await earlier;
    for (const { line, rows, target } of lines) {
      this.#pendingBytes -= line.length;
      if (this.#isFull) continue;
      const refusal = this.#parts.takeBytes(line.length) ?? (await this.#add(line, { rows, target }));
      if (refusal !== undefined) {
        this.#isFull = true;
        this.#stop(refusal);
        continue;
      }
      this.#done += rows;
      if (target === undefined) this.#failed += rows;
      else this.#servedBy.set(target, (this.#servedBy.get(target) ?? 0) + rows);
    }
  }

  async #add(line: Uint8Array, of: Pick<WrittenLine, "rows" | "target">): Promise<SpillwayError | undefined> {
    const { keep } = this.#parts;
    try {
      await (keep === undefined ? this.results.add(line) : keep(line, of));
      return undefined;
    } catch (error) {
      return new SpillwayError("queue_full", `results cannot be written: ${(error as Error).message}`);
    }
  }
}

/** The first row that is in no line up to this one. */
export function rowAfter(line: Uint8Array): number {
  const { row = 0, rows = 0 } = rowsOfLine(line) ?? {};
  return row + rows;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
