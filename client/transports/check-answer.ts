/** Whether an answer is one to what was asked: a server that leaves out an output has failed, whatever its status says. */
import { showValue } from "../../base/error-text.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { shapeText } from "../../protocol/tensor.ts";

/** A request of a call, and what is known of its rows. */
interface Asked {
  readonly request: Pick<InferRequest, "outputs">;
  readonly rows: number;
  readonly hasRows?: boolean;
}

/** An answer to a request that was sent alone has another number of rows than the request. */
export class OddRowsFault extends SpillwayError {}

/**
 * @param asked the requests of one call, which all ask for the same outputs; at least one
 * @throws SpillwayError `target_fault` when an output is missing, there is none, or a request that was sent alone got
 * another number of rows than it has
 */
export function checkAnswer({ outputs }: Pick<InferResponse, "outputs">, asked: readonly Asked[]): void {
  const [first] = asked;
  const wanted = first?.request.outputs ?? [];
  const missing = wanted.find(({ name }) => !outputs.some((output) => output.name === name));
  if (missing !== undefined)
    throw new SpillwayError("target_fault", `the answer has no output ${showValue(missing.name)}`);
  if (outputs.length === 0) throw new SpillwayError("target_fault", "the answer has no outputs");
  // Of several requests, rows that do not fit are found when the answer is cut.
  if (first?.hasRows !== true || asked.length > 1) return;
  const odd = outputs.find(({ shape }) => shape[0] !== first.rows);
  if (odd === undefined) return;
  const shape = `${showValue(odd.name)} has shape ${shapeText(odd.shape)}`;
  throw new OddRowsFault("target_fault", `output ${shape}; the request has ${first.rows} rows`);
}
