/** One run of `infer`: reads items, has many requests under way, and keeps each answer when it comes. */
import type { InferResponse } from "../../protocol/message.ts";
import { faultLine } from "../../protocol/result-line.ts";
import { batchesOf, type ItemBatch } from "./batches.ts";
import type { BulkInput, BulkItem } from "./bulk-input.ts";
import { type BulkSender, SendingEnded, placeOf } from "./bulk-sender.ts";
import type { ResultFile } from "./result-file.ts";
import { RowTally } from "./row-tally.ts";

/** Most requests whose answers wait for an earlier one, for each request that may be under way. */
const aheadPerPlace = 16;

export interface RunInferOptions {
  readonly input: BulkInput;
  readonly sender: Pick<BulkSender, "send">;
  readonly results: ResultFile;
  /** Most rows of one request. */
  readonly mostRows: number;
  readonly concurrency: number;
  /** Nothing new is sent once it aborts. */
  readonly stop: AbortSignal;
  readonly onProgress: () => void;
}

export interface RunInferEnd {
  readonly tally: RowTally;
  /** Why some items have no line; undefined: all have. */
  readonly why: string | undefined;
}

/** Rejects when results cannot be written or the input cannot be read; all that was answered until then is kept. */
export async function runInfer(options: RunInferOptions): Promise<RunInferEnd> {
  const { input, results, mostRows, concurrency, stop } = options;
  const tally = new RowTally();
  const underWay = new Set<Promise<void>>();
  const ahead: { readonly first: number; readonly ended: Promise<void> }[] = [];
  let broken: { readonly error: unknown } | undefined;
  const isOver = (): boolean => stop.aborted || broken !== undefined;
  const keep = (item: BulkItem, rows: number, line: Uint8Array, answer?: InferResponse): void => {
    results.add(item.index, line);
    tally.add(rows, answer);
    options.onProgress();
  };
  const start = (batch: ItemBatch): void => {
    const ended = options.sender
      .send(batch, ({ item, line, answer }) => keep(item, item.rows, line, answer))
      .catch((error: unknown) => void (broken ??= { error }))
      .finally(() => underWay.delete(ended));
    underWay.add(ended);
    ahead.push({ first: (batch[0] as BulkItem).index, ended });
  };
  try {
    for await (const next of batchesOf(missing(input.items(results.next), results), mostRows)) {
      if (isOver()) break;
      if ("fault" in next) {
        const fault = { error: next.fault.message, status: 400 };
        keep(next.item, 1, faultLine(placeOf(next.item), fault));
        continue;
      }
      while (underWay.size >= concurrency && !isOver()) await Promise.race(underWay);
      while (ahead.length >= aheadPerPlace * concurrency && !isOver()) await ahead.shift()?.ended;
      if (isOver()) break;
      start(next.batch);
    }
  } catch (error) {
    broken ??= { error };
  }
  await Promise.all(underWay);
  if (broken !== undefined && !(broken.error instanceof SendingEnded)) throw broken.error;
  if (results.done === input.count) return { tally, why: undefined };
  return {
    tally,
    why: stop.aborted ? "stopped" : ((broken?.error as Error | undefined)?.message ?? "stopped"),
  };
}

/** The items that have no line yet. */
async function* missing(items: AsyncIterable<BulkItem>, results: ResultFile): AsyncGenerator<BulkItem> {
  for await (const item of items) if (!results.has(item.index)) yield item;
}
