/**
 * A request whose rows are served apart. Each row waits in a line of its own right, so that every policy packs and splits
 * without knowing of it; the rows of one request that leave together are one part of their batch. The request ends once:
 * when its last row is answered, or when one of its rows can no longer be.
 */
import { SpillwayError } from "../../base/errors.ts";
import type { BatchPart } from "../targets/target.ts";
import { type End, type NewRequest, QueuedRequest, type Served, type ServedRows } from "./request.ts";

/** The answer to some rows of a split request. */
export interface RowsAnswer<Out> {
  readonly answer: Out;
  readonly fromRow: number;
  /** The row after the last one. */
  readonly toRow: number;
}

/** Puts the answers to all rows of a request together; they are in the order of the rows. May throw. */
export type JoinAnswers<In, Out> = (payload: In, answers: readonly RowsAnswer<Out>[]) => Out;

export class SplitRequest<In, Out> {
  /** By row. */
  readonly rows: readonly [QueuedRequest<In, Out>, ...QueuedRequest<In, Out>[]];
  /** Of its rows, the ones that wait in a line. */
  waitingRows: number;
  readonly bytes: number;
  hasEnded = false;
  readonly #join: JoinAnswers<In, Out>;
  #unansweredRows: number;
  readonly #answers: (RowsAnswer<Out> & { readonly end: Served<Out> })[] = [];

  constructor(request: NewRequest<In, Out>, join: JoinAnswers<In, Out>) {
    const { rows, bytes } = request;
    const row = (index: number) => new QueuedRequest(request, { whole: this, index });
    this.rows = [row(0), ...Array.from({ length: rows - 1 }, (_, index) => row(index + 1))];
    this.waitingRows = rows;
    this.bytes = bytes;
    this.#join = join;
    this.#unansweredRows = rows;
  }

  /**
   * Some rows were answered.
   *
   * @returns the end of the whole request with its last row, else undefined
   */
  answered({ fromRow, toRow }: ServedRange, end: Served<Out>): End<Out> | undefined {
    this.#answers.push({ answer: end.answer, fromRow, toRow, end });
    this.#unansweredRows -= toRow - fromRow;
    if (this.#unansweredRows > 0) return undefined;
    const answers = this.#answers.sort((a, b) => a.fromRow - b.fromRow);
    const ends = answers.map((each) => each.end);
    const serviceMs = ends.map((each) => each.serviceMs).filter((ms) => ms !== undefined);
    const times = {
      batchRows: Math.max(...ends.map(({ batchRows }) => batchRows)),
      queuedMs: Math.max(...ends.map(({ queuedMs }) => queuedMs)),
      serviceMs: serviceMs.length === 0 ? undefined : Math.max(...serviceMs),
    };
    const target = [...new Set(ends.map((each) => each.target))].join("+");
    try {
      const answer = this.#join(this.rows[0].payload, answers);
      // The last part to come back decides.
      return { outcome: end.outcome, answer, target, ...times, parts: joinedRows(answers) };
    } catch (error) {
      const why = `the answers to its rows, of ${target}, cannot be joined: ${(error as Error).message}`;
      return { outcome: "failed", error: new SpillwayError("target_fault", why, { cause: error }) };
    }
  }

  /** None of its rows is waited for any more. */
  ended(end: End<Out>): void {
    this.hasEnded = true;
    for (const row of this.rows) row.end ??= end;
    this.#answers.length = 0;
  }
}

type ServedRange = Pick<BatchPart<unknown>, "fromRow" | "toRow">;

/** Rows that one target answered one after another are one part. */
function joinedRows<Out>(answers: readonly (ServedRange & { readonly end: Served<Out> })[]): ServedRows[] {
  const parts: (ServedRows & { toRow: number })[] = [];
  for (const { fromRow, toRow, end } of answers) {
    const last = parts.at(-1);
    if (last?.target === end.target) last.toRow = toRow;
    else parts.push({ target: end.target, fromRow, toRow });
  }
  return parts;
}
