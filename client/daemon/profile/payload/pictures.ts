/** Pictures as a load: the files of a folder, or generated ones, in the form that the model's input takes. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadPackage } from "../../../../base/optional-package.ts";
import { seededRandom } from "../../../../base/random.ts";
import type { DescribedInput } from "../example-input.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { tensorFromNumbers } from "../../../../protocol/tensor.ts";

const pictureName = /\.(jpe?g|png|webp)$/i;
/** Of a larger folder, the first ones by name are used. */
const mostPictures = 64;
/** Number and size of the generated pictures. */
const generated = { count: 16, widthPx: 320, heightPx: 240 };

/**
 * The JPEG, PNG and WebP files of the folder, unchanged; generated pictures if it has none.
 *
 * @throws Error when there is no such folder
 */
export async function readPictures(folder: string, seed: number): Promise<readonly Uint8Array[]> {
  const names = readdirSync(folder)
    .filter((name) => pictureName.test(name))
    .sort()
    .slice(0, mostPictures);
  if (names.length > 0) return names.map((name) => readFileSync(join(folder, name)));
  const random = seededRandom(seed);
  return Promise.all(Array.from({ length: generated.count }, () => generatedPicture(random)));
}

const sharp = () => loadPackage("sharp", "a load of pictures");

/** A JPEG of coarse coloured noise, which compresses about like a photograph. */
async function generatedPicture(random: () => number): Promise<Uint8Array> {
  const [width, height] = [20, 15];
  const pixels = Uint8Array.from({ length: 3 * width * height }, () => Math.floor(random() * 256));
  return sharp()(pixels, { raw: { width, height, channels: 3 } })
    .resize(generated.widthPx, generated.heightPx)
    .jpeg()
    .toBuffer();
}

/**
 * A request with the picture: the file itself if the input takes BYTES, else its colours from 0 to 1 in three planes
 * of the input's size.
 *
 * @param input BYTES, or FP32 of shape [3, height, width] a row
 * @throws Error when the input is neither, or the picture cannot be read (rejects)
 */
export async function pictureRequest(picture: Uint8Array, input: DescribedInput): Promise<InferRequest> {
  const { name, datatype, rowShape } = input;
  const shape = [1, ...rowShape];
  if (datatype === "BYTES") {
    return { parameters: {}, inputs: [{ name, datatype, shape, data: element(picture) }] };
  }
  const [, channels, height = 0, width = 0] = shape;
  if (datatype !== "FP32" || shape.length !== 4 || channels !== 3) {
    throw new Error(
      `input ${name} is ${datatype}[${shape.join(",")}]; allowed for pictures: BYTES and FP32[1,3,height,width]`,
    );
  }
  const pixels = await sharp()(picture)
    .removeAlpha()
    .toColourspace("srgb")
    .resize(width, height, { fit: "fill" })
    .raw()
    .toBuffer();
  const plane = width * height;
  const values = Float32Array.from(
    { length: 3 * plane },
    (_, index) => (pixels[(index % plane) * 3 + Math.floor(index / plane)] as number) / 255,
  );
  return { parameters: {}, inputs: [tensorFromNumbers(name, "FP32", shape, values)] };
}

/** The raw form of one BYTES element: its length in 4 bytes, little-endian, then the bytes. */
function element(bytes: Uint8Array): Uint8Array {
  const data = new Uint8Array(4 + bytes.length);
  new DataView(data.buffer).setUint32(0, bytes.length, true);
  data.set(bytes, 4);
  return data;
}
