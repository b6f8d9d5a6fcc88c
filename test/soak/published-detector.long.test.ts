/** Object detection by a published YOLOX, which finds characters; a long test, because its package has 76 MB. */
import sharp from "sharp";
import { expect, it } from "vitest";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import { readModelConfig } from "../../edge/models/model-config.ts";
import { overlap } from "../../edge/vision/pictures/boxes.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { type Tensor, tensorToStrings } from "../../protocol/tensor.ts";
import { publishedFile } from "../support/published-file.ts";

interface Found {
  readonly label: string;
  readonly score: number;
  readonly box: readonly [number, number, number, number];
}

const places = [
  { left: 60, top: 40 },
  { left: 420, top: 90 },
  { left: 230, top: 220 },
] as const;
const letters = ["A", "K", "M"];
const size = { width: 600, height: 320 };

it("finds every drawn character, in pixels of the picture that was sent", async (context) => {
  const file = await publishedFile({
    name: "ddddocr",
    version: "1.5.6",
    path: "ddddocr/common_det.onnx",
    sha256: "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6",
  });
  if ("reason" in file) return context.skip(file.reason);
  const drawn = await Promise.all(
    letters.map((text) =>
      sharp({ text: { text, font: "DejaVu Sans Mono Bold 64", dpi: 72, rgba: true } })
        .png()
        .toBuffer(),
    ),
  );
  const sizes = await Promise.all(drawn.map((input) => sharp(input).metadata()));
  const picture = await sharp({ create: { ...size, channels: 3, background: "#cfd8c8" } })
    .composite(drawn.map((input, index) => ({ input, ...(places[index] as { left: number; top: number }) })))
    .jpeg()
    .toBuffer();

  const settings = { outputs: "yolox", width: 416, height: 416, fit: "left-top", channels: "BGR", scale: 1 };
  const config = readModelConfig({ handler: "object-detection", labels: ["character"], settings }, "test");
  const runner = inProcessRunner(
    { name: "find", version: "1", path: file.path, handler: "object-detection", config },
    2,
  );
  await runner.ready();
  // Two rows for a model that takes one at a time.
  const image = {
    name: "image",
    datatype: "BYTES" as const,
    shape: [2],
    data: bytesOfElements([picture, picture]),
  };
  const { outputs } = await runner.run({ parameters: {}, inputs: [image] });
  const answers = tensorToStrings(outputs[0] as Tensor).map((text) => JSON.parse(text) as Found[]);
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[0]?.map(({ label }) => label)).toEqual(letters.map(() => "character"));
  for (const [index, { left, top }] of places.entries()) {
    const { width = 0, height = 0 } = sizes[index] ?? {};
    const known = { left, top, right: left + width, bottom: top + height };
    const shares = answers[0]?.map(({ box }) =>
      overlap(known, { left: box[0], top: box[1], right: box[2], bottom: box[3] }),
    );
    expect(Math.max(...(shares ?? []))).toBeGreaterThan(0.6);
  }
});
