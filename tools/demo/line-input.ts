/** A rendered line of text as the input of an OCR model. */
import { type Tensor, tensorFromNumbers } from "../../protocol/tensor.ts";
import { LINE_HEIGHT_PX, LINE_WIDTH_PX, renderLine, toModelInput } from "./render-line.ts";
import type { Line } from "./text-lines.ts";

/** One row: FP32 of shape [1, 3, {@link LINE_HEIGHT_PX}, {@link LINE_WIDTH_PX}]. */
export async function lineInput(name: string, line: Line): Promise<Tensor> {
  const pixels = await renderLine(line, { widthPx: LINE_WIDTH_PX });
  const shape = [1, 3, LINE_HEIGHT_PX, LINE_WIDTH_PX];
  return tensorFromNumbers(name, "FP32", shape, toModelInput(pixels, LINE_WIDTH_PX));
}
