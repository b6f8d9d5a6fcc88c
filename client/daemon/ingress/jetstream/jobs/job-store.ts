/** What is kept of jobs on the server: their logs, their inputs, and the queue of those that are to be run. */
import { setTimeout as delay } from "node:timers/promises";
import { Objm, type ObjectStore } from "@nats-io/obj";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { limitAge, readStored, removeStored, sweepStored } from "../../../../../base/nats/stored-objects.ts";
import { codeOf, nanosPerMs } from "../bus-streams.ts";
import { type JobFacts, JobLog } from "./job-log.ts";
import { longestJobMs, makeJobStreams } from "./job-streams.ts";
import { jobOf, LargeLines } from "./large-lines.ts";

const nothing = new Uint8Array();
const pausesMs = [50, 200, 500, 1_000] as const;
const usualHandOverMs = 8_000;
/** When it is looked at whether a refused job is there after all, in milliseconds each after the one before. */
const looksMs = [1_000, 5_000, 30_000] as const;
/** What has no record is removed when it is as old as this: its record may be on its way. */
const strayMs = 300_000;

/** Nobody knows whether the server has the record of a job. */
export class UnclearJobError extends Error {}

export interface JobStoreOptions {
  /** Of all logs, and of all inputs. */
  readonly mostBytes: number;
  readonly mostJobs: number;
  /** How long a job is handed over whose record may or may not be stored, in milliseconds. Default: 8,000. */
  readonly handOverMs?: number;
}

export class JobStore {
  readonly log: JobLog;
  readonly #engine: Engine;
  readonly #inputs: ObjectStore;
  readonly #lines: LargeLines;
  readonly #mostBytes: number;
  readonly #handOverMs: number;
  readonly #strays = new Map<string, number>();

  private constructor(
    engine: Engine,
    inputs: ObjectStore,
    { mostBytes, handOverMs = usualHandOverMs }: JobStoreOptions,
  ) {
    this.#engine = engine;
    this.#inputs = inputs;
    this.#mostBytes = mostBytes;
    this.#handOverMs = handOverMs;
    this.#lines = new LargeLines(engine, inputs, mostBytes);
    this.log = new JobLog(engine, this.#lines);
  }

  static async open(engine: Engine, options: JobStoreOptions): Promise<JobStore> {
    const { mostBytes, mostJobs } = options;
    await makeJobStreams(engine, mostBytes, mostJobs);
    const ttl = longestJobMs * nanosPerMs;
    const inputs = await new Objm(engine.js).create(engine.names.jobLogs.inputs, {
      max_bytes: mostBytes,
      ttl,
    });
    await limitAge(engine.manager, engine.names.jobLogs.inputs, ttl);
    return new JobStore(engine, inputs, options);
  }

  /**
   * Resolves when somebody will run it for sure: its input is there before anybody is told of it, and it is told of before
   * it is to be run.
   *
   * @throws UnclearJobError when nobody knows; else it is not there
   */
  async add(id: string, facts: JobFacts, body: Uint8Array): Promise<void> {
    try {
      await this.#inputs.putBlob({ name: id }, body);
      await this.#record(id, facts);
    } catch (error) {
      if (!(error instanceof UnclearJobError)) void this.forgetInput(id);
      throw error;
    }
    // Where the queue does not take it now, whoever looks after the jobs next hands it over again.
    await this.enqueue(facts.model, id).catch(() => {});
  }

  /** Takes a job back that was refused though its record may be there, unless somebody runs it already. */
  async takeBack(id: string, signal: AbortSignal): Promise<void> {
    for (const pauseMs of looksMs) {
      await delay(pauseMs, undefined, { signal, ref: false });
      while (!(await this.#isTakenBack(id))) await delay(looksMs[0], undefined, { signal, ref: false });
    }
  }

  /** Has it run; rejects where it is in the queue already, in work or not. */
  async enqueue(model: string, id: string): Promise<void> {
    await this.#engine.js.publish(this.#engine.names.jobQueue.subject(model, id), nothing);
  }

  /**
   * Null: it is not there any more.
   *
   * @throws StoredObjectFault when it is there and cannot be read
   */
  input(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return readStored(this.#inputs, id, { mostBytes: this.#mostBytes });
  }

  async forgetInput(id: string): Promise<void> {
    await removeStored(this.#engine.manager, this.#inputs, this.#engine.names.jobLogs.inputs, id).catch(
      () => {},
    );
  }

  async forget(id: string): Promise<void> {
    const hasLargeLines = (await this.log.last(id))?.facts.hasLargeLines === true;
    await this.log.remove(id);
    await this.forgetInput(id);
    // Those of which nobody is told that they are left are swept.
    if (hasLargeLines) await this.#lines.removeOf(id).catch(() => {});
  }

  async all(most: number): Promise<{ readonly id: string; readonly facts: JobFacts }[]> {
    const found: { readonly id: string; readonly facts: JobFacts }[] = [];
    for (const id of (await this.log.ids()).slice(0, most)) {
      const record = await this.log.last(id);
      if (record !== undefined) found.push({ id, facts: record.facts });
    }
    return found;
  }

  /**
   * Removes inputs and lines of jobs that have no record, and what is left of those that were never whole.
   *
   * @returns how many
   */
  async sweepInputs(nowMs: number): Promise<number> {
    const ids = new Set(await this.log.ids());
    return sweepStored(
      this.#engine.manager,
      this.#inputs,
      this.#engine.names.jobLogs.inputs,
      ({ name, mtime }) => ids.has(jobOf(name)) || nowMs - Date.parse(mtime) < strayMs,
      { strays: this.#strays, strayMs, nowMs },
    );
  }

  /** The first record: added as often as it takes to know whether it is there. */
  async #record(id: string, facts: JobFacts): Promise<void> {
    const untilMs = performance.now() + this.#handOverMs;
    for (let attempt = 0; ; attempt++) {
      try {
        // Undefined: an earlier attempt came through, whose answer did not.
        await this.log.add(id, 0, facts, nothing);
        return;
      } catch (error) {
        const isRefused = codeOf(error) !== undefined;
        if (isRefused && attempt === 0) throw error;
        if (isRefused) {
          const there = await this.log.last(id).catch(() => null);
          if (there !== null && there !== undefined) return;
          if (there === undefined) throw error;
        }
        if (performance.now() > untilMs)
          throw new UnclearJobError((error as Error).message, { cause: error });
        await delay(pausesMs[Math.min(attempt, pausesMs.length - 1)]);
      }
    }
  }

  /** False: the server does not say. */
  async #isTakenBack(id: string): Promise<boolean> {
    try {
      const last = await this.log.last(id);
      if (last?.facts.runner === undefined) await this.forget(id);
      return true;
    } catch {
      return false;
    }
  }
}
