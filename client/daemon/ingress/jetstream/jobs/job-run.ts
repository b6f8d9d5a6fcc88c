/**
 * One job in the hands of one runner: reads its input, goes on behind the last line that is kept, and keeps each line in the
 * job's log. When another runner has taken the job, this one stops and leaves it to that one.
 */
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../../../../base/errors.ts";
import { Job, type JobParts } from "../../jobs/job.ts";
import type { JobInput } from "../../jobs/job-input.ts";
import { ProtocolError, UnavailableError } from "../../../../../protocol/errors.ts";
import { faultLine } from "../../../../../protocol/result-line.ts";
import { isFull } from "../bus-streams.ts";
import type { JobFacts, JobLog, JobRecord } from "./job-log.ts";

export interface JobRunOptions {
  readonly id: string;
  readonly log: JobLog;
  /** Name of this runner. */
  readonly runner: string;
  readonly parts: Omit<JobParts, "keep" | "before" | "takeBytes" | "hints">;
  /** The input; rejects when it is no more there, or no input of the model. */
  readonly read: (facts: JobFacts) => Promise<JobInput>;
}

/** Another runner has it. */
class TakenError extends Error {}

const nothing = new Uint8Array();
const pausesMs = [50, 200, 500, 1_000, 2_000] as const;
/** So often a job is taken without a line of it being kept: it may be what ends those who run it. */
const mostTakes = 10;
/** Most characters of an error that is kept. */
const longestError = 1_000;

export class JobRun {
  readonly #options: JobRunOptions;
  #job: Job | undefined;
  #at = 0;
  #facts: JobFacts | undefined;
  #isRetired = false;
  #isTaken = false;
  #why: Error | undefined;

  constructor(options: JobRunOptions) {
    this.#options = options;
  }

  /** Resolves with whether the job has come to its end; if not, somebody goes on with it. Never rejects. */
  async run(): Promise<boolean> {
    try {
      return await this.#run();
    } catch (error) {
      if (error instanceof TakenError) this.#isTaken = true;
      else {
        this.#why = error as Error;
        if (!isBug(error)) await this.#release();
      }
      return false;
    }
  }

  /** Why it could not be run now; undefined: it could, or another has it. */
  get why(): Error | undefined {
    return this.#why;
  }

  /** Another runner took it. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Its caller cancelled it. */
  cancel(): void {
    this.#job?.cancel();
  }

  /** Sends nothing more; another runner goes on. */
  retire(): void {
    this.#isRetired = true;
    this.#job?.close();
  }

  async #run(): Promise<boolean> {
    const { parts, read } = this.#options;
    const taken = await this.#take();
    if (taken === undefined || this.#isRetired) return taken === undefined;
    const { model, key, tenant, lane, isCancelled } = taken.facts;
    let input: JobInput;
    try {
      input = await read(taken.facts);
    } catch (error) {
      // The server, or the edge that knows the model, may be back soon: then somebody goes on.
      if (!(error instanceof ProtocolError) || error instanceof UnavailableError) throw error;
      await this.#stop(`the job failed: ${error.message}`, {
        code: "request_rejected",
        status: error.status,
      });
      return true;
    }
    const job = new Job(model, input, {
      ...parts,
      hints: { key, tenant, lane },
      takeBytes: () => undefined,
      before: taken.facts,
      keep: (line, of) => this.#keep(line, of),
    });
    this.#job = job;
    if (isCancelled === true) job.cancel();
    if (this.#isRetired) job.close();
    await job.ended;
    if (this.#isTaken) throw new TakenError();
    const { state, error } = job.status();
    const isWhole = this.#facts?.done === job.rows;
    if (this.#isRetired && state === "stopped" && !isWhole) {
      await this.#release();
      return false;
    }
    await this.#end({ state, error }, job.tail ?? nothing);
    return true;
  }

  /** Whoever had it before finds that its next line is refused. Undefined: there is nothing to be done. */
  async #take(): Promise<JobRecord | undefined> {
    const { id, log, runner } = this.#options;
    for (;;) {
      const last = await log.last(id);
      if (last === undefined || last.facts.state !== "running") return undefined;
      const { takes = 0, done } = last.facts;
      if (takes >= mostTakes) {
        [this.#at, this.#facts] = [last.sequence, { ...last.facts, runner }];
        await this.#stop(
          `it was given up: ${takes} daemons took it one after another, and ended before they kept the result of row ${done}`,
          { code: "target_fault", status: 502 },
        );
        return undefined;
      }
      const facts = { ...last.facts, runner, takes: takes + 1 };
      const sequence = await log.add(id, last.sequence, facts, nothing);
      if (sequence === undefined) continue;
      [this.#at, this.#facts] = [sequence, facts];
      return { sequence, facts, lines: nothing };
    }
  }

  /** That this runner took it says nothing against it. As far as the log takes that now. */
  async #release(): Promise<void> {
    const { id, log } = this.#options;
    const { takes = 0 } = this.#facts ?? {};
    if (takes === 0) return;
    await log.add(id, this.#at, { ...(this.#facts as JobFacts), takes: takes - 1 }, nothing).catch(() => {});
  }

  async #keep(line: Uint8Array, { rows, target }: KeptOf): Promise<void> {
    // What fails because this daemon stops is for the one that goes on.
    if (this.#isRetired && target === undefined) throw new Error("another daemon goes on with it");
    try {
      await this.#addLine(line, { rows, target });
    } catch (error) {
      if (isFull(error))
        throw new SpillwayError(
          "queue_full",
          "the job was stopped here: what is kept of all jobs takes as much as it may (--jobs-mib)",
          { cause: error },
        );
      throw error;
    }
  }

  #addLine(line: Uint8Array, { rows, target }: KeptOf): Promise<void> {
    const facts = this.#facts as JobFacts;
    const served = target === undefined ? {} : { [target]: (facts.served_by[target] ?? 0) + rows };
    const { log } = this.#options;
    return this.#add(log.add.bind(log), line, {
      takes: 0,
      done: facts.done + rows,
      failed: facts.failed + (target === undefined ? rows : 0),
      served_by: { ...facts.served_by, ...served },
      resultBytes: facts.resultBytes + line.length,
      ...(log.areLarge(line) && { hasLargeLines: true }),
    });
  }

  /** Ends it before its end; the rows that are left have one line. */
  async #stop(error: string, fault: { readonly code: string; readonly status: number }): Promise<void> {
    const { rows, done } = this.#facts as JobFacts;
    const tail = rows > done ? faultLine({ row: done, rows: rows - done }, { error, ...fault }) : nothing;
    await this.#end({ state: "stopped", error }, tail);
  }

  #end(
    { state, error }: { readonly state: JobFacts["state"]; readonly error?: string | undefined },
    tail: Uint8Array,
  ): Promise<void> {
    const { log } = this.#options;
    const told = error === undefined ? {} : { error: error.slice(0, longestError) };
    const ended = endedFacts(this.#facts as JobFacts, tail.length, Date.now());
    return this.#add(log.end.bind(log), tail, { state, ...told, ...ended });
  }

  /** Adds until it is there for sure. */
  async #add(add: JobLog["add"], lines: Uint8Array, change: Partial<JobFacts>): Promise<void> {
    const { id, log, runner } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const facts = { ...(this.#facts as JobFacts), ...change };
      try {
        const sequence = await add(id, this.#at, facts, lines);
        if (sequence !== undefined) {
          [this.#at, this.#facts] = [sequence, facts];
          return;
        }
        const last = await log.last(id);
        if (last === undefined || last.facts.runner !== runner) {
          this.#isTaken = true;
          this.#job?.cancel();
          throw new TakenError();
        }
        const isOurs = last.facts.done === facts.done && last.facts.state === facts.state;
        [this.#at, this.#facts] = [last.sequence, last.facts];
        // An attempt came through whose answer did not; else the caller has cancelled the job.
        if (isOurs && (last.stored?.bytes ?? last.lines.length) === lines.length) return;
        if (last.facts.isCancelled === true) this.#job?.cancel();
        // Where there was no room to tell of the cancel beside the end, it is the end.
        if (last.facts.state !== "running") throw new TakenError();
      } catch (error) {
        if (error instanceof TakenError || isTooLarge(error) || isFull(error)) throw error;
        if (this.#isRetired && attempt > pausesMs.length) throw error;
        await delay(pausesMs[Math.min(attempt, pausesMs.length - 1)]);
      }
    }
  }
}

/** All rows of a job that ends have a line, the last of which, of `tailBytes`, says why the rows that are left have no answer. */
export function endedFacts(
  { rows, done, failed, resultBytes }: JobFacts,
  tailBytes: number,
  endedAtMs: number,
): Pick<JobFacts, "done" | "failed" | "resultBytes" | "endedAtMs"> {
  return { done: rows, failed: failed + rows - done, resultBytes: resultBytes + tailBytes, endedAtMs };
}

/** It comes again however often it is tried. */
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

/** How many rows a line has, and who served them; nobody where they failed. */
interface KeptOf {
  readonly rows: number;
  readonly target?: string | undefined;
}

/** What the client of NATS says of a message above `max_payload`, before it sends anything. */
function isTooLarge(error: unknown): boolean {
  return (error as Error).name === "InvalidArgumentError";
}
