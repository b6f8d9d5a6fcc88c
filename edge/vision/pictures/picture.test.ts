import sharp from "sharp";
import { expect, it } from "vitest";
import { withPicture, resizePixels } from "./picture.ts";
import { pictureHeader, pixelBytes } from "./picture-header.ts";
import { picturesOf } from "./picture-tensor.ts";
import { PixelRoom } from "./pixel-room.ts";
import { bytesOfElements } from "../../../protocol/bytes-elements.ts";

const red = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: "red" } });
const sizeOf = (file: Uint8Array) =>
  withPicture(file, async ({ width, height, data }) => [width, height, data.length]);

const files = {
  "a JPEG": { kind: "JPEG", file: () => red(30, 20).jpeg().toBuffer() },
  "a progressive JPEG with EXIF": {
    kind: "JPEG",
    file: () =>
      red(30, 20)
        .jpeg({ progressive: true })
        .withExif({ IFD0: { Artist: "x".repeat(5_000) } })
        .toBuffer(),
  },
  "a PNG": { kind: "PNG", file: () => red(30, 20, 4).png().toBuffer() },
  "a lossy WebP": { kind: "WebP", file: () => red(30, 20).webp().toBuffer() },
  "a lossless WebP": { kind: "WebP", file: () => red(30, 20).webp({ lossless: true }).toBuffer() },
  "a WebP with transparency": {
    kind: "WebP",
    file: () =>
      sharp({ create: { width: 30, height: 20, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0.5 } } })
        .webp()
        .toBuffer(),
  },
} as const;

it.each(Object.entries(files))(
  "knows the size of %s before it is decoded, and decodes it",
  async (_, { kind, file }) => {
    const bytes = await file();
    expect(pictureHeader(bytes)).toEqual({ kind, width: 30, height: 20 });
    expect(await sizeOf(bytes)).toEqual([30, 20, 30 * 20 * 3]);
    for (let length = 0; length < Math.min(bytes.length, 40); length++)
      pictureHeader(bytes.subarray(0, length));
  },
);

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="1600"><rect width="9" height="9"/></svg>';

it.each([
  ["an SVG", () => Buffer.from(svg)],
  ["a GIF", () => red(3, 2).gif().toBuffer()],
  ["a TIFF", () => red(3, 2).tiff().toBuffer()],
  ["an AVIF", () => red(3, 2).avif().toBuffer()],
  ["text", () => Buffer.from("hello")],
  ["a JPEG that does not tell its size", () => Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0, 0, 0, 0])],
])("refuses %s by its first bytes", async (_, file) => {
  await expect(sizeOf(await file())).rejects.toThrow(
    expect.objectContaining({
      status: 400,
      message: "the picture is of an unknown kind; allowed: JPEG, PNG, WebP",
    }),
  );
});

it("has no loader for another kind behind the first bytes of a JPEG", async () => {
  await expect(sharp(Buffer.from(svg)).raw().toBuffer()).rejects.toThrow(/unsupported|block/i);
});

it("refuses a picture of too many pixels before it decodes one, and a strip that would be one", async () => {
  const png = await red(30, 20).png().toBuffer();
  png.writeUInt32BE(60_000, 16);
  png.writeUInt32BE(60_000, 20);
  await expect(sizeOf(png)).rejects.toThrow(
    "the picture has 60000 x 60000 pixels; allowed: 1 to 50000000 of them",
  );
  const strip = await red(20_000, 1).png().toBuffer();
  const larger = withPicture(strip, (picture) =>
    resizePixels(picture, { width: 5_120_000, height: 256 }, "linear"),
  );
  await expect(larger).rejects.toThrow(/would become 5120000 x 256; allowed: at most 50000000 pixels/);
  await expect(sizeOf(png.subarray(0, 60))).rejects.toThrow(/picture/);
});

it("counts a picture by its pixels, and other elements not at all", async () => {
  const data = bytesOfElements([
    await files["a PNG"].file(),
    await files["a JPEG"].file(),
    Buffer.from("text"),
  ]);
  const tensor = { name: "x", datatype: "BYTES", shape: [3], data } as const;
  expect(pixelBytes(tensor)).toBe(2 * 30 * 20 * 3);
  expect(pixelBytes({ ...tensor, datatype: "UINT8", shape: [data.length] })).toBe(0);
});

it("takes as many pictures in a request as the model can get at a time", () => {
  const image = { name: "image", datatype: "BYTES", shape: [1_000], data: new Uint8Array(4_000) } as const;
  expect(picturesOf([image], { width: 200, height: 200 })).toHaveLength(1_000);
  expect(() => picturesOf([image], { width: 1_000, height: 500 })).toThrow(
    "the request has 1000 pictures; allowed: at most 100 for this model",
  );
});

it("lets large pictures wait for each other, in turn", async () => {
  const room = new PixelRoom(100);
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const task = (name: string, pixels: number): Promise<void> =>
    room.run(pixels, async () => {
      log.push(name);
      await new Promise<void>((resolve) => gates.set(name, resolve));
    });
  const all = [task("a", 60), task("b", 40), task("c", 500), task("d", 10)];
  expect(log).toEqual(["a", "b"]);
  gates.get("a")?.();
  await all[0];
  expect(log).toEqual(["a", "b"]);
  gates.get("b")?.();
  await expect.poll(() => log).toEqual(["a", "b", "c"]);
  gates.get("c")?.();
  await expect.poll(() => log).toEqual(["a", "b", "c", "d"]);
  gates.get("d")?.();
  await Promise.all(all);
});
