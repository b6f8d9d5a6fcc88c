/** The keys of the daemon's queue: requests share a batch when they have the same model and stack key. */
import type { InferRequest } from "../../protocol/message.ts";
import { stackKey } from "../../protocol/stack.ts";

/**
 * The key of a request: equal for requests that may share a batch.
 */
export function queueKey(model: string, request: InferRequest): string {
  return `${encodeURIComponent(model)} ${stackKey(request)}`;
}

/**
 * The model of a key.
 *
 * @example
 * modelOfKey("resnet%2F50 ..."); // "resnet/50"
 */
export function modelOfKey(key: string): string {
  const end = key.indexOf(" ");
  return decodeURIComponent(end === -1 ? key : key.slice(0, end));
}
