/** A model whose batch is fixed at N rows, run on any number of rows: cut by N, the last run padded with its last row. */
import { ProtocolError } from "../../protocol/errors.ts";
import { cutRows, joinRows } from "../../protocol/stack.ts";
import { shapeText, type Tensor } from "../../protocol/tensor.ts";
import type { InferenceResult } from "../models/model-runner.ts";
import { requestRows } from "./row-structure.ts";

type Run = (inputs: readonly Tensor[]) => Promise<InferenceResult>;

/**
 * The outputs of all rows, as if they had run together. Only for models whose rows do not depend on each other.
 *
 * @example
 * await runByRows(4, inputsOfSixRows, run); // runs rows 0 to 3, then rows 4, 5, 5, 5; gives six rows
 */
export async function runByRows(
  fixedRows: number,
  inputs: readonly Tensor[],
  run: Run,
): Promise<InferenceResult> {
  const rows = requestRows(inputs);
  if (rows === undefined || rows === fixedRows) return run(inputs);
  const sizes = Array.from({ length: Math.ceil(rows / fixedRows) }, (_, index) =>
    Math.min(fixedRows, rows - index * fixedRows),
  );
  const outputs: Tensor[][] = [];
  let serviceMs = 0;
  for (const [index, part] of cutRows(inputs, sizes).entries()) {
    const size = sizes[index] as number;
    const result = await run(padded(part, size, fixedRows));
    checkRows(result.outputs, rows, fixedRows);
    serviceMs += result.serviceMs;
    const kept = size === fixedRows ? [size] : [size, fixedRows - size];
    outputs.push(cutRows(result.outputs, kept)[0] as Tensor[]);
  }
  return { outputs: outputs.length === 1 ? (outputs[0] as Tensor[]) : joinRows(outputs), serviceMs };
}

/** What a file says of its outputs is not always so. */
function checkRows(outputs: readonly Tensor[], rows: number, fixedRows: number): void {
  const stray = outputs.find(({ shape }) => shape[0] !== fixedRows);
  if (stray === undefined) return;
  throw new ProtocolError(
    `the request has ${rows} rows; the batch of the model is fixed at ${fixedRows}, and its output "${stray.name}" is ` +
      `${shapeText(stray.shape)}, which has not the rows of a run; allowed: ${fixedRows} rows`,
  );
}

function padded(part: readonly Tensor[], rows: number, wanted: number): readonly Tensor[] {
  if (rows === wanted) return part;
  const last = cutRows(part, rows === 1 ? [1] : [rows - 1, 1]).at(-1) as Tensor[];
  return joinRows([part, ...Array<Tensor[]>(wanted - rows).fill(last)]);
}
