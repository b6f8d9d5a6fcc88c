/** Pictures of odd kinds, as people send them, come out as the picture that a viewer shows. */
import sharp, { type Sharp } from "sharp";
import { expect, it } from "vitest";
import { withPicture } from "./picture.ts";

/** 24 x 16: red on the left, blue on the right. */
const halves = (channels: 3 | 4 = 3): Sharp => {
  const data = new Uint8Array(24 * 16 * channels).fill(255);
  for (let pixel = 0; pixel < 24 * 16; pixel++)
    data.set(pixel % 24 < 12 ? [200, 40, 10] : [20, 60, 220], pixel * channels);
  return sharp(data, { raw: { width: 24, height: 16, channels } });
};

/** The size, and the first and the last pixel. */
const ends = (file: Uint8Array) =>
  withPicture(file, async ({ width, height, data }) => {
    expect(data).toHaveLength(width * height * 3);
    return [width, height, Array.from(data.subarray(0, 3)), Array.from(data.subarray(-3))] as const;
  });

const about = (value: number, by = 6) => expect.toSatisfy((each: number) => Math.abs(each - value) <= by);
const red = [about(200), about(40), about(10)];
const blue = [about(20), about(60), about(220)];

it.each([
  [1, 24, 16, red, blue],
  [2, 24, 16, blue, red],
  [3, 24, 16, blue, red],
  [4, 24, 16, red, blue],
  [5, 16, 24, red, blue],
  [6, 16, 24, red, blue],
  [7, 16, 24, blue, red],
  [8, 16, 24, blue, red],
])(
  "turns and mirrors a JPEG by orientation %d of its EXIF data",
  async (orientation, width, height, first, last) => {
    const file = await halves()
      .withMetadata({ orientation })
      .jpeg({ quality: 98, chromaSubsampling: "4:4:4" })
      .toBuffer();
    expect(await ends(file)).toEqual([width, height, first, last]);
  },
);

it.each([
  ["a PNG of 16 bits", () => halves().toColourspace("rgb16").png(), red, blue],
  [
    "a grey PNG of 16 bits",
    () => halves().toColourspace("grey16").png(),
    Array(3).fill(about(84, 20)),
    Array(3).fill(about(66, 20)),
  ],
  [
    "a grey PNG",
    () => halves().toColourspace("b-w").png(),
    Array(3).fill(about(84, 20)),
    Array(3).fill(about(66, 20)),
  ],
  ["a PNG with a palette", () => halves().png({ palette: true }), red, blue],
  ["a PNG with an alpha channel", () => halves(4).png(), red, blue],
  [
    "a CMYK JPEG",
    () => halves().toColourspace("cmyk").jpeg({ quality: 98 }),
    [about(200, 60), about(40, 60), about(10, 60)],
    [about(20, 100), about(60, 60), about(220, 100)],
  ],
  ["a progressive JPEG", () => halves().jpeg({ progressive: true, quality: 98 }), red, blue],
] as const)("decodes %s to red, green and blue of 8 bits", async (_, make, first, last) => {
  expect(await ends(await make().toBuffer())).toEqual([24, 16, first, last]);
});

it("lays what is transparent on white, and takes the first picture of an animation", async () => {
  const clear = sharp({
    create: { width: 24, height: 16, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
  });
  expect(await ends(await clear.png().toBuffer())).toEqual([24, 16, [255, 255, 255], [255, 255, 255]]);
  const frames = await Promise.all([halves(), halves().negate()].map((each) => each.png().toBuffer()));
  const animation = await sharp(frames, { join: { animated: true } })
    .webp({ lossless: true })
    .toBuffer();
  expect((await sharp(animation).metadata()).pages).toBe(2);
  expect(await ends(animation)).toEqual([24, 16, red, blue]);
});

it("refuses a JPEG that was cut off", async () => {
  const file = await halves().jpeg({ quality: 98 }).toBuffer();
  await expect(ends(file.subarray(0, file.length - 100))).rejects.toMatchObject({ status: 400 });
});
