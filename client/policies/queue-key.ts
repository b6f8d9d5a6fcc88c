/** What requests must have in common to share a batch, as the daemon's queue names it: the model and the stack key. */
import type { InferRequest } from "../../protocol/message.ts";
import { stackKey } from "../../protocol/stack.ts";

/**
 * Equal for requests that may share a batch.
 *
 * @example
 * queueKey("ocr-cls", request) === queueKey("ocr-cls", requestOfTheSameShape); // true
 */
export function queueKey(model: string, request: InferRequest): string {
  return `${encodeURIComponent(model)} ${stackKey(request)}`;
}

/** The model of a key. */
export function modelOfKey(key: string): string {
  const end = key.indexOf(" ");
  return decodeURIComponent(end === -1 ? key : key.slice(0, end));
}
