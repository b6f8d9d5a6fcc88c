/** What a job is given: its requests one after another, made when they are needed, so that few are in memory at a time. */
import type { InferRequest } from "../../../../protocol/message.ts";
import { commonRows, cutRows } from "../../../../protocol/stack.ts";

/** One request of a job, or why there is none. */
export interface JobItem {
  readonly request: InferRequest | Error;
  /** Rows that it counts for. */
  readonly rows: number;
  /** Line of the body, from 1. */
  readonly line?: number | undefined;
  /** Name of the file. */
  readonly name?: string | undefined;
}

export interface JobInput {
  /** Memory that it takes, in bytes. */
  readonly bytes: number;
  /** Rows of all items together. */
  readonly rows: number;
  /** The items in their order. */
  items(): AsyncIterable<JobItem>;
}

/** Rows that a request counts for: one where its inputs have no rows in common. */
export function rowsIn({ inputs }: Pick<InferRequest, "inputs">): number {
  return commonRows(inputs) || 1;
}

/** One V2 request, which was read already. */
export function requestInput(request: InferRequest): JobInput {
  const rows = rowsIn(request);
  return {
    bytes: request.inputs.reduce((sum, { data }) => sum + data.byteLength, 0),
    rows,
    items: async function* () {
      yield { request, rows };
    },
  };
}

/** The items without their first rows, which were done before. */
export async function* itemsFrom(items: AsyncIterable<JobItem>, from: number): AsyncGenerator<JobItem> {
  let row = 0;
  for await (const item of items) {
    const begins = row;
    row += item.rows;
    if (row <= from) continue;
    const { request } = item;
    if (begins >= from || request instanceof Error) yield item;
    else {
      const [, inputs = []] = cutRows(request.inputs, [from - begins, row - from]);
      yield { ...item, request: { ...request, inputs }, rows: row - from };
    }
  }
}
