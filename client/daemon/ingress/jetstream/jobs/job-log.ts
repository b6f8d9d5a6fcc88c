/**
 * What happened to each job, as messages of one subject: who runs it, its lines of results, and its end. Each message is
 * added only behind the one that its writer saw last, so that of two who run a job at once one stops, and no row has two lines.
 */
import { DiscardPolicy, RetentionPolicy, StorageType, type StoredMsg } from "@nats-io/jetstream";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { apiCodes, codeOf, makeStream, nanosPerMs } from "../bus-streams.ts";
import { asHeaders, plain } from "../plain-headers.ts";
import type { JobStatus } from "../../jobs/job.ts";

/** All that is known of a job, in each of its messages. */
export interface JobFacts extends Pick<
  JobStatus,
  "state" | "rows" | "done" | "failed" | "served_by" | "error"
> {
  readonly model: string;
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
  /** Whose it is, and in which lane. */
  readonly key?: string | undefined;
  readonly tenant?: string | undefined;
  readonly lane?: string | undefined;
  /** Of the body. */
  readonly type?: string | undefined;
  readonly headerBytes?: string | undefined;
  readonly inputBytes: number;
  readonly resultBytes: number;
  /** Who runs it. */
  readonly runner?: string | undefined;
  readonly isCancelled?: boolean;
}

export interface JobRecord {
  readonly sequence: number;
  readonly facts: JobFacts;
  /** Lines of results; empty in records that are about other things. */
  readonly lines: Uint8Array;
}

const factsHeader = "spillway-job";
/** No job is kept for longer, whoever forgot it. */
const longestMs = 14 * 86_400_000;
const publishMs = 2_000;

/** @param mostBytes of all logs, and of all inputs */
export async function makeJobStreams({ manager, names }: Engine, mostBytes: number): Promise<void> {
  const { jobLogs, jobQueue } = names;
  const shared = { storage: StorageType.File, discard: DiscardPolicy.New, max_age: longestMs * nanosPerMs };
  await makeStream(
    manager,
    {
      ...shared,
      name: jobLogs.stream,
      subjects: [jobLogs.subjects],
      retention: RetentionPolicy.Limits,
      max_bytes: mostBytes,
      allow_direct: true,
      republish: { src: jobLogs.subjects, dest: jobLogs.copy, headers_only: true },
    },
    false,
  );
  await makeStream(
    manager,
    {
      ...shared,
      name: jobQueue.stream,
      subjects: [jobQueue.subjects],
      retention: RetentionPolicy.Workqueue,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
    },
    false,
  );
}

export class JobLog {
  readonly #engine: Engine;
  readonly #names: Engine["names"]["jobLogs"];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#names = engine.names.jobLogs;
  }

  /** The latest record, which has the facts of now; undefined: there is no such job. */
  async last(id: string): Promise<JobRecord | undefined> {
    return this.#get({ last_by_subj: this.#names.subject(id) });
  }

  /** The first record from a sequence on. */
  async next(id: string, sequence: number): Promise<JobRecord | undefined> {
    return this.#get({ next_by_subj: this.#names.subject(id), seq: Math.max(1, sequence) });
  }

  /**
   * Adds a record behind the one with sequence `after`, 0 for the first.
   *
   * @returns its sequence, or undefined when another is there already
   */
  async add(id: string, after: number, facts: JobFacts, lines: Uint8Array): Promise<number | undefined> {
    try {
      const { seq } = await this.#engine.js.publish(this.#names.subject(id), lines, {
        headers: asHeaders({ [factsHeader]: encodeURIComponent(JSON.stringify(facts)) }),
        expect: { lastSubjectSequence: after },
        timeout: publishMs,
      });
      return seq;
    } catch (error) {
      const code = codeOf(error);
      if (code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown) return undefined;
      throw error;
    }
  }

  /** Records from the one that has row `from`, up to the latest of now. */
  async *records(id: string, from: number): AsyncGenerator<JobRecord> {
    let record = await this.#holding(id, from);
    while (record !== undefined) {
      if (record.lines.length > 0) yield record;
      record = await this.next(id, record.sequence + 1);
    }
  }

  async remove(id: string): Promise<void> {
    await this.#engine.manager.streams.purge(this.#names.stream, { filter: this.#names.subject(id) });
  }

  /** Ids of all jobs. */
  async ids(): Promise<string[]> {
    const info = await this.#engine.manager.streams.info(this.#names.stream, {
      subjects_filter: this.#names.subjects,
    });
    return Object.keys(info.state.subjects ?? {}).map((subject) => subject.split(".").at(-1) as string);
  }

  /** The first record with which more than `from` rows were done. Sequences are those of all jobs, so it is searched. */
  async #holding(id: string, from: number): Promise<JobRecord | undefined> {
    const [first, last] = await Promise.all([this.next(id, 1), this.last(id)]);
    if (first === undefined || last === undefined || from === 0) return first;
    if (last.facts.done <= from) return undefined;
    let holding = last;
    // No record is in front of it from `bound` on.
    let [low, bound] = [first.sequence, last.sequence];
    while (low < bound) {
      const middle = Math.floor((low + bound) / 2);
      const record = (await this.next(id, middle)) ?? last;
      if (record.facts.done > from) {
        holding = record;
        bound = middle;
      } else low = record.sequence + 1;
    }
    return holding;
  }

  async #get(
    query: { last_by_subj: string } | { next_by_subj: string; seq: number },
  ): Promise<JobRecord | undefined> {
    const found = await this.#engine.manager.direct
      .getMessage(this.#names.stream, query)
      .catch((error: unknown) => {
        if (codeOf(error) === apiCodes.noMessage) return null;
        throw error;
      });
    return found === null ? undefined : recordOf(found);
  }
}

function recordOf({ seq, data, header }: StoredMsg): JobRecord | undefined {
  const told = plain(header)[factsHeader];
  if (told === undefined) return undefined;
  return { sequence: seq, facts: JSON.parse(decodeURIComponent(told)) as JobFacts, lines: data };
}
