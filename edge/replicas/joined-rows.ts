/** The rows of the requests that run together: joined before the run, cut apart after it. */
import type { Tensor } from "../../protocol/tensor.ts";
import { cutRows, joinRows } from "../../protocol/stack.ts";
import type { PendingRequest } from "./pending-request.ts";

/** Inputs of all; those of a request alone as they are. */
export function joinInputs(requests: readonly PendingRequest[]): readonly Tensor[] {
  const [first, second] = requests;
  if (first !== undefined && second === undefined) return first.request.inputs;
  return joinRows(requests.map(({ request }) => request.inputs));
}

/**
 * The outputs of each request, in their order.
 *
 * @throws ProtocolError when several requests ran and an output has not as many rows as they
 */
export function cutOutputs(
  outputs: readonly Tensor[],
  requests: readonly PendingRequest[],
): readonly (readonly Tensor[])[] {
  if (requests.length <= 1) return [outputs];
  return cutRows(
    outputs,
    requests.map(({ rows }) => rows),
  );
}
