/** What a model gives for a grey picture: the shapes of its outputs as they are, and numbers to tell heads apart by. */
import type { Tensor } from "../../../protocol/tensor.ts";
import { shapeText } from "../../../protocol/tensor.ts";
import type { RowOutput } from "../heads/head.ts";
import type { Size } from "../pictures/resize-arithmetic.ts";
import type { PictureFormat } from "../pictures/picture-format.ts";
import { pictureTensor } from "../pictures/picture-tensor.ts";
import { numbersOf } from "../../../protocol/tensor-numbers.ts";
import type { Predict } from "./handler.ts";

/** As letterboxes are padded. */
const grey = 114;

/**
 * The outputs for one picture of that size. Throws an Error of one line when the model cannot run on it, or an output has not
 * the rows of the pictures.
 */
export async function tryGrey(run: Predict, format: PictureFormat, frame: Size): Promise<RowOutput[]> {
  const rows = format.fixedRows ?? 1;
  const picture = { ...frame, data: new Uint8Array(frame.width * frame.height * 3).fill(grey) };
  const input = pictureTensor(
    Array.from({ length: rows }, () => picture),
    format,
  );
  let outputs: readonly Tensor[];
  try {
    outputs = await run([input]);
  } catch (error) {
    throw new Error(
      `a run on a grey picture of ${frame.width} x ${frame.height} failed: ${(error as Error).message}; allowed: the ` +
        `width and height that the model takes, in settings`,
      { cause: error },
    );
  }
  return rowOutputs(outputs, rows)[0] as RowOutput[];
}

/** For each picture its part of the outputs. Throws an Error when an output has not a row for each. */
export function rowOutputs(outputs: readonly Tensor[], rows: number): RowOutput[][] {
  const numbers = outputs.map((output) => {
    if (output.shape[0] === rows) return numbersOf(output);
    throw new Error(
      `output ${output.name} is ${shapeText(output.shape)} for ${rows === 1 ? "1 picture" : `${rows} pictures`}; allowed: a ` +
        `first dimension of pictures`,
    );
  });
  return Array.from({ length: rows }, (_, row) =>
    outputs.map(({ name, shape }, index): RowOutput => {
      const all = numbers[index] as Float32Array;
      const count = all.length / rows;
      return { name, shape: shape.slice(1), values: all.subarray(row * count, (row + 1) * count) };
    }),
  );
}
