// @module-tag slow
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import type { DescribedInput } from "../example-input.ts";
import { checkTensor, type Tensor, tensorToNumbers } from "../../../../protocol/tensor.ts";
import { pictureRequest, readPictures } from "./pictures.ts";

const planes: DescribedInput = {
  name: "x",
  datatype: "FP32",
  rowShape: [3, 4, 6],
  wholeShape: [1, 3, 4, 6],
  content: undefined,
};
const folder = (): string => mkdtempSync(join(tmpdir(), "spillway-pictures-"));
const red = { width: 8, height: 8, channels: 3, background: "#ff0000" } as const;

it("makes pictures up where the folder has none, the same for the same seed", async () => {
  const empty = folder();
  writeFileSync(join(empty, "notes.txt"), "no picture");
  const [first, second] = [await readPictures(empty, 1), await readPictures(empty, 1)];
  expect(first.length).toBeGreaterThan(1);
  expect(second).toEqual(first);
  expect(await sharp(first[0]).metadata()).toMatchObject({ format: "jpeg", width: 320, height: 240 });
});

it("turns a file into planes of the model's size, or sends it as it is where the model takes bytes", async () => {
  const place = folder();
  const file = await sharp({ create: red }).png().toBuffer();
  writeFileSync(join(place, "red.PNG"), file);
  const [picture = new Uint8Array()] = await readPictures(place, 1);
  const [tensor] = (await pictureRequest(picture, planes)).inputs;
  expect([...tensorToNumbers(tensor as Tensor)]).toEqual(
    Array.from({ length: 72 }, (_, i) => (i < 24 ? 1 : 0)),
  );
  const bytes: DescribedInput = {
    name: "b",
    datatype: "BYTES",
    rowShape: [],
    wholeShape: [1],
    content: "picture",
  };
  const [whole] = (await pictureRequest(picture, bytes)).inputs;
  checkTensor(whole as Tensor);
  expect(Buffer.from((whole as Tensor).data.subarray(4)).equals(file)).toBe(true);
});

it("refuses inputs that are no picture's", async () => {
  const [picture = new Uint8Array()] = await readPictures(folder(), 1);
  const input: DescribedInput = { ...planes, datatype: "INT64" };
  await expect(pictureRequest(picture, input)).rejects.toThrow(/input x is INT64\[1,3,4,6\]/);
});
