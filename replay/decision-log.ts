/**
 * The decision log: what a replay did, as lines of JSON in the order of time, for an independent checker. The
 * format is `spillway-log/1`; numbers are written in full precision. Most lines are arrivals and batches; they are put
 * together from finite numbers, which takes half as long as `JSON.stringify`.
 */
import type { QueueEvent } from "../client/queue/queue-event.ts";
import type { PlanChange } from "../client/policies/policy-inputs.ts";
import type { BatchSent, FailureCause } from "./world/batch-sent.ts";
import type { ReplaySummary } from "./summary.ts";

/**
 * So many lines are written at once: joined, they are one flat text, which takes much less of the garbage collector than a text
 * that grows line by line.
 */
const linesAtOnce = 64;

const reasons: Readonly<Record<string, string>> = {
  deadline_passed: "late",
  queue_full: "full",
  queue_closed: "closed",
};

export class DecisionLog {
  readonly #write: (lines: string) => void;
  /** Lines with their line feeds that are yet to be written. */
  #lines: string[] = [];
  /** Why the batches in flight that will fail do so, by batch id. */
  readonly #causes = new Map<number, FailureCause>();
  readonly #namesEdges: boolean;

  /**
   * @param header what the replay was run with
   * @param edges number of edges in the scenario
   * @param write takes whole lines with their line feeds; it has all of them once `summary` has been called
   */
  constructor(header: object, edges: number, write: (lines: string) => void) {
    this.#write = write;
    this.#namesEdges = edges > 1;
    this.#put({ kind: "header", format: "spillway-log/1", ...header });
  }

  /** An observer for the queue. */
  readonly observe = (event: QueueEvent): void => {
    if (event.kind === "arrival") {
      const rows = event.rows === 1 ? "" : `,"rows":${event.rows}`;
      const lane = event.lane === undefined ? "" : `,"lane":${JSON.stringify(event.lane)}`;
      this.#add(`{"kind":"arrival","id":${event.id},"atMs":${event.atMs}${rows}${lane}}\n`);
    } else if (event.kind === "result" && !event.ok) {
      this.#put({
        kind: "failed",
        batch: event.batch,
        atMs: event.atMs,
        cause: this.#causes.get(event.batch),
      });
      this.#causes.delete(event.batch);
    } else if (event.kind === "end" && event.code !== undefined) {
      const { id, outcome, code, atMs } = event;
      this.#put({ kind: "end", id, outcome, reason: reasons[code] ?? code, atMs });
    }
  };

  batch({ batch, formedAtMs, upload, place, end }: BatchSent): void {
    const head = `{"kind":"batch","id":${batch.id},${this.#placeOf(place)}`;
    const sent =
      `${membersOf(batch)},"formedAtMs":${formedAtMs},` +
      `"uploadStartMs":${upload.uploadStartMs},"uploadEndMs":${upload.uploadEndMs}`;
    if (!end.ok) {
      this.#causes.set(batch.id, end.cause);
      this.#add(`${head},${sent}}\n`);
      return;
    }
    const { startMs, endMs, seenAtMs, serviceMs, call } = end;
    const times = `"startMs":${startMs},"endMs":${endMs},"answeredAtMs":${seenAtMs},"serviceMs":${serviceMs}`;
    if (call === undefined) this.#add(`${head},${sent},${times}}\n`);
    else {
      const instance = `"instance":${call.instance},"coldStartMs":${call.coldStartMs}`;
      const bill = `"billedMs":${call.billedMs},"cost":${call.cost}`;
      this.#add(`${head},${instance},${sent},${times},${bill}}\n`);
    }
  }

  plan({ atMs, cause, ratePerS, isAdopted, text, plan }: PlanChange): void {
    this.#put({ kind: "plan", atMs, cause, ratePerS, plan: { isAdopted, text, ...plan } });
  }

  summary(summary: ReplaySummary): void {
    const { requests, served, inSlo, cost, currency, lanes } = summary;
    this.#put({ kind: "summary", requests, served, inSlo, cost, currency, lanes });
    this.#writeLines();
  }

  /** A single edge is not named. */
  #placeOf(place: BatchSent["place"]): string {
    if (place.target === "serverless") return `"target":"serverless","size":${JSON.stringify(place.size)}`;
    const named = this.#namesEdges ? `"edge":${JSON.stringify(place.edge)},` : "";
    return `"target":"edge",${named}"replica":${place.replica}`;
  }

  #put(line: object): void {
    this.#add(`${JSON.stringify(line)}\n`);
  }

  #add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length === linesAtOnce) this.#writeLines();
  }

  #writeLines(): void {
    const text = this.#lines.join("");
    this.#lines = [];
    this.#write(text);
  }
}

/** The requests of a batch, or their parts where some request is not in it whole. */
function membersOf({ parts }: BatchSent["batch"]): string {
  const isWhole = parts.every(({ payload, fromRow, toRow }) => toRow - fromRow === payload.rows);
  if (isWhole) return `"requests":[${parts.map(({ payload }) => payload.id).join()}]`;
  const listed = parts.map(({ payload, fromRow, toRow }) => `[${payload.id},${fromRow},${toRow}]`);
  return `"parts":[${listed.join()}]`;
}
