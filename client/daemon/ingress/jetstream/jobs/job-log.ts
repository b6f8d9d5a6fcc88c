/**
 * What happened to each job, as messages of one subject: who runs it, its lines of results, and its end. Each message is
 * added only behind the one that its writer saw last, so that of two who run a job at once one stops, and no row has two lines.
 * An end for which the logs have no room any more is kept beside them, where there is room for nothing else.
 */
import type { StoredMsg } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { apiCodes, codeOf, isFull } from "../bus-streams.ts";
import { asHeaders, plain } from "../plain-headers.ts";
import type { JobStatus } from "../../jobs/job.ts";
import type { LargeLines } from "./large-lines.ts";

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
  /** Whether some of its lines are larger than a message. */
  readonly hasLargeLines?: boolean;
  /** Who runs it. */
  readonly runner?: string | undefined;
  readonly isCancelled?: boolean;
  /** How often somebody has taken it since its last line. */
  readonly takes?: number;
}

export interface JobRecord {
  readonly sequence: number;
  readonly facts: JobFacts;
  /** Lines of results; empty in records that are about other things, and in those whose lines are elsewhere. */
  readonly lines: Uint8Array;
  /** Where lines are that are larger than a message, and how many bytes they have. */
  readonly stored?: { readonly name: string; readonly bytes: number } | undefined;
  /** An end for which the log had no room; its sequence is that of the log's last record. */
  readonly isBeside?: boolean;
}

const factsHeader = "spillway-job";
const storedHeader = "spillway-stored";
const storedBytesHeader = "spillway-stored-bytes";
/** Sequence of the record that an end stands behind. */
const behindHeader = "spillway-behind";
const publishMs = 2_000;
const nothing = new Uint8Array();
export class JobLog {
  readonly #engine: Engine;
  readonly #names: Engine["names"];
  readonly #large: LargeLines | undefined;

  /** @param large keeps lines that are larger than a message; undefined: the server refuses those */
  constructor(engine: Engine, large?: LargeLines) {
    this.#engine = engine;
    this.#names = engine.names;
    this.#large = large;
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

  /** Whether lines are larger than a message, and kept elsewhere. */
  areLarge(lines: Uint8Array): boolean {
    return this.#large?.areLarge(lines) === true;
  }

  /**
   * Adds a record behind the one with sequence `after`, 0 for the first.
   *
   * @returns its sequence, or undefined when another is there already
   */
  async add(id: string, after: number, facts: JobFacts, lines: Uint8Array): Promise<number | undefined> {
    const subject = this.#names.jobLogs.subject(id);
    const large = this.#large;
    if (large?.areLarge(lines) !== true)
      return this.#publish(subject, after, { [factsHeader]: told(facts) }, lines);
    const name = await large.put(id, lines);
    const headers = {
      [factsHeader]: told(facts),
      [storedHeader]: name,
      [storedBytesHeader]: String(lines.length),
    };
    const sequence = await this.#publish(subject, after, headers, nothing).catch((error: unknown) => {
      // Where nobody knows whether the record is there, its lines stay until the job goes.
      if (codeOf(error) !== undefined) void large.remove(name);
      throw error;
    });
    // An earlier attempt came through, or another record did.
    if (sequence === undefined) void large.remove(name);
    return sequence;
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
      if (record.stored !== undefined)
        yield { ...record, lines: (await this.#large?.fetch(record.stored.name)) ?? nothing };
      else if (record.lines.length > 0) yield record;
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
  const { [factsHeader]: facts, [storedHeader]: name, [storedBytesHeader]: bytes } = plain(header);
  if (facts === undefined) return undefined;
  const stored = name === undefined ? {} : { stored: { name, bytes: Number(bytes) } };
  return { sequence: seq, facts: JSON.parse(decodeURIComponent(facts)) as JobFacts, lines: data, ...stored };
}
