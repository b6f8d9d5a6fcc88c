/** Pages of text whose answers are known, drawn with the font that the demo brings along. */
import sharp from "sharp";
import { renderLine } from "../../client/daemon/profile/payload/render-line.ts";
import type { TextLine } from "../../client/daemon/profile/payload/text-lines.ts";

const lineWidthPx = 220;
const lineHeightPx = 48;
const pitchPx = 80;
const columns = 2;
const marginPx = 40;
const gapPx = 60;

/** The page as a PNG file: lines from the top down, in turn at the left and at the right. */
export async function renderPage(lines: readonly TextLine[]): Promise<Uint8Array> {
  const width = 2 * marginPx + columns * lineWidthPx + gapPx;
  const height = 2 * marginPx + lines.length * pitchPx;
  const page = new Uint8Array(width * height).fill(255);
  for (const [index, line] of lines.entries()) {
    const pixels = await renderLine(line, { widthPx: lineWidthPx });
    const left = marginPx + (index % columns) * (lineWidthPx + gapPx);
    const top = marginPx + index * pitchPx;
    for (let y = 0; y < lineHeightPx; y++) {
      page.set(pixels.subarray(y * lineWidthPx, (y + 1) * lineWidthPx), (top + y) * width + left);
    }
  }
  return sharp(page, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}
