/**
 * The keys of the daemon's queue. Requests share a batch when they have the same model and stack key. A key also says
 * how many rows its batches may have, so that policies and replays of a record obey it.
 */
import type { InferRequest } from "../../protocol/message.ts";
import { versionedModel } from "../../protocol/model-path.ts";
import { stackKey } from "../../protocol/stack.ts";

/**
 * The key of a request: equal for requests that may share a batch.
 *
 * @param mostRows most rows of one batch, an integer from 1 or Infinity; 1 means that every request is sent alone
 *
 * @example
 * queueKey("resnet/50", request); // "resnet%2F50 " and a digest of 43 characters
 * queueKey("lstm", request, 1); // "lstm@1"
 */
export function queueKey(model: string, request: InferRequest, mostRows = Infinity): string {
  const name = encodeURIComponent(model);
  // Requests that never share a batch may wait in one line, whatever their shapes.
  if (mostRows === 1) return `${name}@1`;
  const bound = mostRows === Infinity ? "" : `@${mostRows}`;
  return `${name}${bound} ${stackKey(request)}`;
}

/**
 * The model of a key.
 *
 * @example
 * modelOfKey("resnet%2F50@8 ..."); // "resnet/50"
 */
export function modelOfKey(key: string): string {
  return decodeURIComponent(/^[^ @]*/.exec(key)?.[0] ?? "");
}

/**
 * The name under which a server lists the model of a key: that of the model where the key has one of its versions.
 *
 * @example
 * listedNameOfKey("resnet%2Fversions%2F2 ..."); // "resnet"
 */
export function listedNameOfKey(key: string): string {
  return versionedModel(modelOfKey(key)).model;
}

/**
 * Most rows of a batch of that key; Infinity when the key sets no bound.
 *
 * @example
 * mostRowsOfKey("resnet%2F50@8 ..."); // 8
 */
export function mostRowsOfKey(key: string): number {
  return Number(/^[^ @]*@([0-9]+)/.exec(key)?.[1] ?? Infinity);
}
