/** From the bytes of a picture to the numbers that a model takes: scale, mean, deviation, order of channels. */

export interface PixelNumbers {
  /** Subtracted from each of red, green and blue after they are divided by `scale`, in the order of `channels`. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Bytes are divided by it: 255 for numbers in 0..1, 1 for the bytes themselves. */
  readonly scale: number;
  readonly channels: "RGB" | "BGR";
  /** `NCHW`: three planes; `NHWC`: three numbers for each pixel. */
  readonly layout: "NCHW" | "NHWC";
}

/**
 * @param pixels red, green and blue byte of each pixel, row by row
 * @returns as many numbers as there are bytes
 */
export function normalisePixels(pixels: Uint8Array, numbers: PixelNumbers): Float32Array {
  const { mean, std, scale, channels, layout } = numbers;
  const count = pixels.length / 3;
  const values = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const source = channels === "RGB" ? channel : 2 - channel;
    const slope = 1 / (scale * (std[channel] as number));
    const offset = (mean[channel] as number) / (std[channel] as number);
    const [from, step] = layout === "NCHW" ? [channel * count, 1] : [channel, 3];
    for (let pixel = 0; pixel < count; pixel++) {
      values[from + pixel * step] = (pixels[pixel * 3 + source] as number) * slope - offset;
    }
  }
  return values;
}
