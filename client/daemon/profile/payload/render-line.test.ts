import { describe, expect, it } from "vitest";
import { LINE_HEIGHT_PX, LINE_WIDTH_PX, renderLine, toModelInput } from "./render-line.ts";
import { createLines } from "./text-lines.ts";

const upright = { text: "4735-RAF", upsideDown: false };
const size = { widthPx: LINE_WIDTH_PX };

/** The rows of a picture cut down to the smallest box that holds all its ink. */
function inkBox(pixels: Uint8Array, widthPx: number): number[][] {
  const rows = Array.from({ length: LINE_HEIGHT_PX }, (_, y) => [
    ...pixels.subarray(y * widthPx, (y + 1) * widthPx),
  ]);
  const inked = rows.filter((row) => row.some((pixel) => pixel < 255));
  const first = Math.min(...inked.map((row) => row.findIndex((pixel) => pixel < 255)));
  const last = Math.max(...inked.map((row) => row.findLastIndex((pixel) => pixel < 255)));
  return inked.map((row) => row.slice(first, last + 1));
}

describe("renderLine", () => {
  it("draws black ink on a white page of the size asked for", async () => {
    const pixels = await renderLine(upright, size);
    expect(pixels).toHaveLength(LINE_HEIGHT_PX * LINE_WIDTH_PX);
    const dark = pixels.filter((pixel) => pixel < 64).length;
    expect(dark / pixels.length).toBeGreaterThan(0.1);
    expect(dark / pixels.length).toBeLessThan(0.3);
    expect([pixels[0], pixels.at(-1)]).toEqual([255, 255]);
  });

  it("draws the font's glyphs, not the empty boxes of a missing font, which are all alike", async () => {
    const pictures = await Promise.all(
      createLines(20, 1).map((line) => renderLine({ ...line, upsideDown: false }, size)),
    );
    expect(new Set(pictures.map((pixels) => Buffer.from(pixels).toString("latin1"))).size).toBe(20);
  });

  it("draws the same picture every time", async () => {
    expect(await renderLine(upright, size)).toEqual(await renderLine(upright, size));
  });

  it("turns an upside-down line by 180 degrees", async () => {
    const box = inkBox(await renderLine(upright, size), LINE_WIDTH_PX);
    const turnedBox = inkBox(await renderLine({ ...upright, upsideDown: true }, size), LINE_WIDTH_PX);
    expect(turnedBox).toEqual(box.map((row) => row.toReversed()).toReversed());
    expect(turnedBox).not.toEqual(box);
  });

  it.each([false, true])("pads on the right, also when upside down is %s", async (upsideDown) => {
    const widthPx = 320;
    const pixels = await renderLine({ ...upright, upsideDown }, { widthPx });
    const padding = pixels.filter((_, index) => index % widthPx >= LINE_WIDTH_PX);
    expect(padding.every((pixel) => pixel === 255)).toBe(true);
  });

  it("has room for every text", async () => {
    await Promise.all(createLines(100, 2).map((line) => renderLine(line, size)));
  });

  it("refuses a width that would cut the text", async () => {
    await expect(renderLine(upright, { widthPx: 120 })).rejects.toThrow(RangeError);
    await expect(renderLine(upright, { widthPx: 200.5 })).rejects.toThrow(RangeError);
  });
});

describe("toModelInput", () => {
  it("normalises black to -1 and white to 1, in three equal planes", () => {
    const pixels = new Uint8Array(LINE_HEIGHT_PX * 2).fill(255);
    pixels[1] = 0;
    const input = toModelInput(pixels, 2);
    expect(input).toHaveLength(3 * LINE_HEIGHT_PX * 2);
    for (const channel of [0, 1, 2]) {
      const plane = input.subarray(channel * pixels.length, (channel + 1) * pixels.length);
      expect([...plane.subarray(0, 3)]).toEqual([1, -1, 1]);
    }
  });

  it("refuses pixels that do not match the width", () => {
    expect(() => toModelInput(new Uint8Array(10), 2)).toThrow(RangeError);
  });
});
