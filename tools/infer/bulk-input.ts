/** What `infer` sends, as items in an order that is always the same, so that a run can go on where another one ended. */
import type { InferRequest } from "../../protocol/message.ts";

/** One line of results comes of it. */
export interface BulkItem {
  /** From 0. */
  readonly index: number;
  /** Line of the file, from 1. */
  readonly line?: number | undefined;
  /** Name of the file in the folder. */
  readonly name?: string | undefined;
  /** An error: it cannot be read. */
  readonly request: InferRequest | Error;
}

export interface BulkInput {
  readonly kind: "lines" | "jsonl" | "pictures";
  /** How many items there are. */
  readonly count: number;
  /** Equal for inputs whose items are the same. */
  readonly digest: string;
  /** The items from one on. */
  items(from: number): AsyncIterable<BulkItem>;
}
