/**
 * Draws a line of text as the two OCR models want it: black on white, 48 pixels high, then normalised. It brings its
 * own font, so the pictures need no fonts on the machine; the texts live apart in text-lines.ts.
 */
import { loadPackage, packagePath } from "../../../../base/optional-package.ts";
import { type Tensor, tensorFromNumbers } from "../../../../protocol/tensor.ts";
import type { TextLine } from "./text-lines.ts";

/** Height of every picture in pixels, fixed by both models. */
export const LINE_HEIGHT_PX = 48;

/** Width in pixels that suits both models: all lines of text-lines.ts fit, with little to pad. */
export const LINE_WIDTH_PX = 192;

/** Fixed pitch, so that all lines are about equally wide. At 72 dpi a point is a pixel: capitals are 26 pixels high. */
const FONT = "DejaVu Sans Mono Bold 36";
const USER = "rendering of text";

/** White pixels left and right of the ink. */
const MARGIN_PX = 8;
const WHITE = 255;

/**
 * Draws one line, left-aligned and centred vertically, on white. A line that is upside down is turned before it is
 * padded on the right, because the classifier of PP-OCR was trained on such pictures.
 *
 * @returns {@link LINE_HEIGHT_PX} x widthPx grey values, row by row from the top, 0 black to 255 white
 * @throws RangeError when the line does not fit (rejects)
 */
export async function renderLine(line: TextLine, { widthPx }: { widthPx: number }): Promise<Uint8Array> {
  const sharp = loadPackage("sharp", USER);
  const fontfile = packagePath("dejavu-fonts-ttf", USER);
  const { data: ink, info } = await sharp({
    text: { text: line.text, font: FONT, fontfile, dpi: 72 },
  })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const neededPx = info.width + 2 * MARGIN_PX;
  if (!Number.isInteger(widthPx) || neededPx > widthPx || info.height > LINE_HEIGHT_PX) {
    throw new RangeError(
      `widthPx must be an integer of at least ${neededPx} for "${line.text}", got ${widthPx}`,
    );
  }
  const topPx = Math.floor((LINE_HEIGHT_PX - info.height) / 2);
  const pixels = new Uint8Array(LINE_HEIGHT_PX * widthPx).fill(WHITE);
  ink.forEach((coverage, index) => {
    const x = MARGIN_PX + (index % info.width);
    const y = topPx + Math.floor(index / info.width);
    const turnedX = line.upsideDown ? neededPx - 1 - x : x;
    const turnedY = line.upsideDown ? LINE_HEIGHT_PX - 1 - y : y;
    pixels[turnedY * widthPx + turnedX] = WHITE - coverage;
  });
  return pixels;
}

/**
 * Turns a grey picture into one row of a model's input: three equal planes of values from -1 (black) to 1 (white).
 *
 * @throws RangeError when the number of pixels does not match the width
 */
export function toModelInput(pixels: Uint8Array, widthPx: number): Float32Array {
  if (pixels.length !== LINE_HEIGHT_PX * widthPx) {
    throw new RangeError(`pixels must hold ${LINE_HEIGHT_PX} x ${widthPx} values, got ${pixels.length}`);
  }
  const plane = Float32Array.from(pixels, (pixel) => (pixel / 255 - 0.5) / 0.5);
  const input = new Float32Array(3 * plane.length);
  for (let channel = 0; channel < 3; channel += 1) input.set(plane, channel * plane.length);
  return input;
}

/** A line of text as the input of an OCR model: one row, FP32 of shape [1, 3, {@link LINE_HEIGHT_PX}, {@link LINE_WIDTH_PX}]. */
export async function lineInput(name: string, line: TextLine): Promise<Tensor> {
  const pixels = await renderLine(line, { widthPx: LINE_WIDTH_PX });
  const shape = [1, 3, LINE_HEIGHT_PX, LINE_WIDTH_PX];
  return tensorFromNumbers(name, "FP32", shape, toModelInput(pixels, LINE_WIDTH_PX));
}
