/** Puts items together that may be sent as one request. */
import type { InferRequest } from "../../protocol/message.ts";
import { commonRows, stackKey } from "../../protocol/stack.ts";
import type { BulkItem } from "./bulk-input.ts";

/** Most bytes of one request, unless one item has more. */
const mostBytes = 2 ** 23;

export interface SentItem extends BulkItem {
  readonly request: InferRequest;
  readonly rows: number;
}

/** Items that are sent as one request. */
export type ItemBatch = readonly SentItem[];

/**
 * Items in their order, as long as they may be joined and there is room. One that cannot be sent is a batch of none, with
 * its error.
 *
 * @param mostRows of one request, an integer from 1
 */
export async function* batchesOf(
  items: AsyncIterable<BulkItem>,
  mostRows: number,
): AsyncGenerator<{ readonly batch: ItemBatch } | { readonly item: BulkItem; readonly fault: Error }> {
  let batch: SentItem[] = [];
  let key: string | undefined;
  let rows = 0;
  let bytes = 0;
  for await (const item of items) {
    const { request } = item;
    if (request instanceof Error) {
      yield { item, fault: request };
      continue;
    }
    const own = commonRows(request.inputs) || 1;
    const ownBytes = request.inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
    const ownKey = mostRows > 1 && commonRows(request.inputs) ? stackKey(request) : undefined;
    const fits =
      ownKey !== undefined && ownKey === key && rows + own <= mostRows && bytes + ownBytes <= mostBytes;
    if (batch.length > 0 && !fits) {
      yield { batch };
      batch = [];
    }
    if (batch.length === 0) [rows, bytes, key] = [0, 0, ownKey];
    batch.push({ ...item, request, rows: own });
    rows += own;
    bytes += ownBytes;
  }
  if (batch.length > 0) yield { batch };
}
