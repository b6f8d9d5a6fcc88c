/** The pictures of a request as one tensor of numbers. */
import { rawBytes } from "../../../protocol/datatype.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import { normalisePixels, type PixelNumbers } from "./normalise-pixels.ts";
import type { Pixels } from "./picture.ts";

/** @param pictures of equal size, one or more */
export function pictureTensor(name: string, pictures: readonly Pixels[], numbers: PixelNumbers): Tensor {
  const { width, height } = pictures[0] as Pixels;
  const count = width * height * 3;
  const values = new Float32Array(count * pictures.length);
  for (const [index, { data }] of pictures.entries())
    values.set(normalisePixels(data, numbers), index * count);
  const shape =
    numbers.layout === "NCHW" ? [pictures.length, 3, height, width] : [pictures.length, height, width, 3];
  return { name, datatype: "FP32", shape, data: rawBytes(values) };
}
