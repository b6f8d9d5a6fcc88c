/**
 * What happened to each job, as messages of one subject: who runs it, its lines of results, and its end. Each message is
 * added only behind the one that its writer saw last, so that of two who run a job at once one stops, and no row has two lines.
 * An end for which the logs have no room any more is kept beside them, where there is room for nothing else.
 */
import { DiscardPolicy, RetentionPolicy, StorageType, type StoredMsg } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { apiCodes, codeOf, isFull, makeStream, nanosPerMs } from "../bus-streams.ts";
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
  /** How often somebody has taken it since its last line. */
  readonly takes?: number;
}

export interface JobRecord {
  readonly sequence: number;
  readonly facts: JobFacts;
  /** Lines of results; empty in records that are about other things. */
  readonly lines: Uint8Array;
  /** An end for which the log had no room; its sequence is that of the log's last record. */
  readonly isBeside?: boolean;
}

const factsHeader = "spillway-job";
/** Sequence of the record that an end stands behind. */
const behindHeader = "spillway-behind";
/** No job is kept for longer, whoever forgot it. */
export const longestJobMs = 14 * 86_400_000;
const publishMs = 2_000;
/** Room for ends: far more than most take, since some daemons may allow more jobs than the one that made the stream. */
const endBytes = 16_384;

/**
 * @param mostBytes of all logs, and of all inputs
 * @param mostJobs for whose ends there is always room
 */
export async function makeJobStreams(
  { manager, names }: Engine,
  mostBytes: number,
  mostJobs: number,
): Promise<void> {
  const { jobEnds, jobLogs, jobQueue } = names;
  const shared = {
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: longestJobMs * nanosPerMs,
  };
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
      name: jobEnds.stream,
      subjects: [jobEnds.subjects],
      retention: RetentionPolicy.Limits,
      max_bytes: 2 * mostJobs * endBytes,
      max_msgs_per_subject: 1,
      allow_direct: true,
      republish: { src: jobEnds.subjects, dest: jobLogs.copy, headers_only: true },
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
  readonly #names: Engine["names"];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#names = engine.names;
  }

  /** The facts of now, and the sequence behind which is added; undefined: there is no such job. */
  async last(id: string): Promise<JobRecord | undefined> {
    const last = await this.#latest(id);
    if (last?.facts.state !== "running") return last;
    return (await this.#endBehind(id, last.sequence))?.record ?? last;
  }

  /** The first record from a sequence on. */
  async next(id: string, sequence: number): Promise<JobRecord | undefined> {
    return recordOf(
      await this.#get(this.#names.jobLogs.stream, {
        next_by_subj: this.#names.jobLogs.subject(id),
        seq: Math.max(1, sequence),
      }),
    );
  }

  /**
   * Adds a record behind the one with sequence `after`, 0 for the first.
   *
   * @returns its sequence, or undefined when another is there already
   */
  add(id: string, after: number, facts: JobFacts, lines: Uint8Array): Promise<number | undefined> {
    return this.#publish(this.#names.jobLogs.subject(id), after, { [factsHeader]: told(facts) }, lines);
  }

  /**
   * The same for the last record of a job, for which there is room when there is none for others.
   *
   * @returns undefined when another record is there already, or another end behind the same one
   */
  async end(id: string, after: number, facts: JobFacts, lines: Uint8Array): Promise<number | undefined> {
    try {
      return await this.add(id, after, facts, lines);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    const there = await this.#endOf(id);
    if (there?.behind === after) return undefined;
    const headers = { [factsHeader]: told(facts), [behindHeader]: String(after) };
    const sequence = await this.#publish(
      this.#names.jobEnds.subject(id),
      there?.sequence ?? 0,
      headers,
      lines,
    );
    return sequence === undefined ? undefined : after;
  }

  /** Records from the one that has row `from`, up to the latest of now. */
  async *records(id: string, from: number): AsyncGenerator<JobRecord> {
    let record = await this.#holding(id, from);
    let sequence: number | undefined;
    while (record !== undefined) {
      if (record.lines.length > 0) yield record;
      ({ sequence } = record);
      record = await this.next(id, sequence + 1);
    }
    const last = await this.last(id);
    const isNext = last?.isBeside === true && (sequence ?? last.sequence) === last.sequence;
    if (isNext && last.lines.length > 0 && last.facts.done > from) yield last;
  }

  async remove(id: string): Promise<void> {
    const { streams } = this.#engine.manager;
    await streams.purge(this.#names.jobLogs.stream, { filter: this.#names.jobLogs.subject(id) });
    await streams.purge(this.#names.jobEnds.stream, { filter: this.#names.jobEnds.subject(id) });
  }

  /** Bytes that all logs take, and the most that they may. */
  async load(): Promise<{ readonly bytes: number; readonly mostBytes: number }> {
    const { state, config } = await this.#engine.manager.streams.info(this.#names.jobLogs.stream);
    return { bytes: state.bytes, mostBytes: config.max_bytes };
  }

  /** Ids of all jobs. */
  async ids(): Promise<string[]> {
    const info = await this.#engine.manager.streams.info(this.#names.jobLogs.stream, {
      subjects_filter: this.#names.jobLogs.subjects,
    });
    return Object.keys(info.state.subjects ?? {}).map((subject) => subject.split(".").at(-1) as string);
  }

  /** The first record with which more than `from` rows were done. Sequences are those of all jobs, so it is searched. */
  async #holding(id: string, from: number): Promise<JobRecord | undefined> {
    const [first, last] = await Promise.all([this.next(id, 1), this.#latest(id)]);
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

  async #latest(id: string): Promise<JobRecord | undefined> {
    return recordOf(
      await this.#get(this.#names.jobLogs.stream, { last_by_subj: this.#names.jobLogs.subject(id) }),
    );
  }

  /** The end beside the log; one behind an earlier record does not count, because somebody went on. */
  async #endBehind(id: string, sequence: number): Promise<KeptEnd | undefined> {
    const end = await this.#endOf(id);
    return end?.behind === sequence ? end : undefined;
  }

  async #endOf(id: string): Promise<KeptEnd | undefined> {
    const found = await this.#get(this.#names.jobEnds.stream, {
      last_by_subj: this.#names.jobEnds.subject(id),
    });
    const record = recordOf(found);
    if (found === null || record === undefined) return undefined;
    const behind = Number(plain(found.header)[behindHeader]);
    return { sequence: found.seq, behind, record: { ...record, sequence: behind, isBeside: true } };
  }

  async #publish(
    subject: string,
    after: number,
    headers: Readonly<Record<string, string>>,
    lines: Uint8Array,
  ): Promise<number | undefined> {
    try {
      const { seq } = await this.#engine.js.publish(subject, lines, {
        headers: asHeaders(headers),
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

  async #get(
    stream: string,
    query: { last_by_subj: string } | { next_by_subj: string; seq: number },
  ): Promise<StoredMsg | null> {
    return this.#engine.manager.direct.getMessage(stream, query).catch((error: unknown) => {
      if (codeOf(error) === apiCodes.noMessage) return null;
      throw error;
    });
  }
}

/** An end beside the log, as a record behind the log's last one. */
interface KeptEnd {
  readonly sequence: number;
  readonly behind: number;
  readonly record: JobRecord;
}

function told(facts: JobFacts): string {
  return encodeURIComponent(JSON.stringify(facts));
}

/** Whether a record of that head says that its job was cancelled. */
export function tellsCancelled(head: MsgHdrs | undefined): boolean {
  // Within a name its quotation marks would be escaped.
  return head?.get(factsHeader).includes(encodeURIComponent('"isCancelled":true')) === true;
}

function recordOf(found: StoredMsg | null): JobRecord | undefined {
  if (found === null) return undefined;
  const { seq, data, header } = found;
  const facts = plain(header)[factsHeader];
  if (facts === undefined) return undefined;
  return { sequence: seq, facts: JSON.parse(decodeURIComponent(facts)) as JobFacts, lines: data };
}
