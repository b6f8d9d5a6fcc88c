/**
 * What a handler of one's own is given, as the last argument of each of its parts, so that it needs no package: tensors to
 * values and back, pictures to pixels and tensors, and what is done with scores and boxes.
 *
 *     export async function preprocess([image], { files, decodeImage, resize, normalise }) {
 *       const pictures = await Promise.all(files(image).map((file) => decodeImage(file)));
 *       const fitted = await Promise.all(pictures.map((each) => resize(each, { width: 224, height: 224 })));
 *       return { inputs: [normalise(fitted, { name: "x", scale: 255 })] };
 *     }
 */
import { bytesOfElements, elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import type { Datatype } from "../../../protocol/datatype.ts";
import { newElements, rawBytes } from "../../../protocol/datatype.ts";
import { toHalf } from "../../../protocol/half.ts";
import {
  elementCount,
  type Tensor,
  tensorFromNumbers,
  tensorFromStrings,
  tensorToStrings,
} from "../../../protocol/tensor.ts";
import { type Box, fromFrame, suppress, type SuppressOptions } from "../pictures/boxes.ts";
import type { FitOptions, FittedPicture } from "../pictures/fit-picture.ts";
import type { Pixels } from "../pictures/picture.ts";
import { pictureTensor, type PictureTensorForm } from "../pictures/picture-tensor.ts";
import type { Size } from "../pictures/resize-arithmetic.ts";
import { numbersOf } from "../../../protocol/tensor-numbers.ts";
import { type RankedClass, softmax, topK } from "./scores.ts";

/** How a picture is resized: to this size, stretched unless `fit` says otherwise. */
export type ResizeOptions = Size & Partial<FitOptions>;

/** How pixels become numbers. Default: FP32, RGB, NCHW, in 0..1. `mean` and `std` may be one number for all channels. */
export type NormaliseOptions = Partial<Omit<PictureTensorForm, "name" | "mean" | "std">> & {
  /** Of the model's input. */
  readonly name: string;
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
};

export interface HandlerTools {
  /** The elements of a BYTES tensor as bytes: one file for each row. */
  files(tensor: Tensor): Uint8Array[];
  /** The elements of a BYTES tensor as text. Throws an error of status 400 where they are not UTF-8. */
  texts(tensor: Tensor): string[];
  /** The elements of a tensor of numbers, row by row, halves too. */
  numbers(tensor: Tensor): Float32Array;
  /** A BYTES tensor of texts. Default of `shape`: one a row. */
  textTensor(name: string, texts: readonly string[], shape?: readonly number[]): Tensor;
  /** A BYTES tensor of files, one a row. */
  fileTensor(name: string, files: readonly Uint8Array[]): Tensor;
  /** A BYTES tensor of one JSON value a row, which `/predict` answers as JSON and not as text. */
  jsonTensor(name: string, values: readonly unknown[]): Tensor;
  /** A tensor of numbers, such as `numberTensor("score", "FP32", [2, 3], values)`. */
  numberTensor(name: string, datatype: Datatype, shape: readonly number[], values: ArrayLike<number>): Tensor;
  /**
   * The pixels of a JPEG, PNG or WebP file: red, green, blue, row by row, upright by its EXIF data, on white where it is
   * transparent. Of an animation the first picture. Rejects with an error of status 400 for anything else, and above 50
   * million pixels.
   */
  decodeImage(file: Uint8Array): Promise<Pixels>;
  /**
   * The picture in another size. `fit` is `stretch`, `crop` (the middle of the picture at `shortSide`), `letterbox`, `left-top` (a
   * letterbox at the corner) or `line`; `kernel` `linear`; `pad` 114.
   */
  resize(picture: Pixels, options: ResizeOptions): Promise<FittedPicture>;
  /** One tensor for pictures of equal size, one a row: (byte / scale - mean) / std. */
  normalise(pictures: Pixels | readonly Pixels[], options: NormaliseOptions): Tensor;
  /** exp(x_i) over their sum, for the scores of one row. */
  softmax(logits: ArrayLike<number>): Float32Array;
  /** The largest scores of one row with their index, the largest first. */
  topK(scores: ArrayLike<number>, count: number): RankedClass[];
  /** The best boxes, the best first, without those that overlap a better one of the same `classIndex` by more. */
  nonMaximumSuppression<B extends Box & { readonly score: number; readonly classIndex?: number }>(
    boxes: readonly B[],
    options?: Partial<SuppressOptions>,
  ): B[];
  /** A box of the frame that `resize` gave, in pixels of the picture as it was, cut at its edges. */
  boxInPicture(box: Box, fitted: Pick<FittedPicture, "from" | "placement">): Box;
}

export const handlerTools: HandlerTools = Object.freeze({
  files: (tensor: Tensor) => elementsOfBytes(tensor.data, elementCount(tensor.shape), tensor.name),
  texts: tensorToStrings,
  numbers: numbersOf,
  textTensor: (name: string, texts: readonly string[], shape: readonly number[] = [texts.length]) =>
    tensorFromStrings(name, shape, texts),
  fileTensor: (name: string, files: readonly Uint8Array[]): Tensor => ({
    name,
    datatype: "BYTES",
    shape: [files.length],
    data: bytesOfElements(files),
  }),
  jsonTensor: (name: string, values: readonly unknown[]): Tensor => ({
    ...tensorFromStrings(
      name,
      [values.length],
      values.map((value) => JSON.stringify(value)),
    ),
    parameters: { content: "json" },
  }),
  numberTensor: (name: string, datatype: Datatype, shape: readonly number[], values: ArrayLike<number>) => {
    if (datatype !== "FP16") return tensorFromNumbers(name, datatype, shape, values);
    const elements = newElements("FP16", elementCount(shape));
    if (values.length !== elements.length)
      throw new RangeError(`${name} has ${values.length} values; allowed: ${elements.length}`);
    elements.set(Array.from(values, toHalf));
    return { name, datatype, shape, data: rawBytes(elements) };
  },
  // Only handlers of pictures need the package that decodes them.
  decodeImage: async (file: Uint8Array) => {
    const { withPicture } = await import("../pictures/picture.ts");
    return withPicture(file, async (picture) => picture);
  },
  resize: async (picture: Pixels, options: ResizeOptions) => {
    const { fitPicture } = await import("../pictures/fit-picture.ts");
    const { width, height, fit = "stretch", kernel = "linear", pad = 114, shortSide } = options;
    return fitPicture(picture, { width, height }, { fit, kernel, pad, shortSide });
  },
  normalise: (pictures: Pixels | readonly Pixels[], options: NormaliseOptions) => {
    const { channels = "RGB", mean = 0, std = 1, ...others } = options;
    const depth = channels === "grey" ? 1 : 3;
    const each = (value: number | readonly number[], place: string): readonly number[] => {
      const list = typeof value === "number" ? Array<number>(depth).fill(value) : value;
      if (list.length === depth) return list;
      throw new RangeError(`normalise: ${place} has ${list.length} numbers; allowed: 1 or ${depth}`);
    };
    const all = "data" in pictures ? [pictures] : pictures;
    const [first] = all;
    const odd = all.find(({ width, height }) => width !== first?.width || height !== first.height);
    if (first === undefined) throw new RangeError("normalise: pictures has 0 entries; allowed: 1 or more");
    if (odd !== undefined)
      throw new RangeError(
        `normalise: pictures are ${first.width} x ${first.height} and ${odd.width} x ${odd.height}; allowed: one size`,
      );
    const defaults = { datatype: "FP32", layout: "NCHW", scale: 255, invert: false } as const;
    return pictureTensor(all, {
      ...defaults,
      ...others,
      channels,
      mean: each(mean, "mean"),
      std: each(std, "std"),
    });
  },
  softmax,
  topK,
  nonMaximumSuppression: <B extends Box & { readonly score: number; readonly classIndex?: number }>(
    boxes: readonly B[],
    { overlap = 0.45, most = 300, acrossClasses = false }: Partial<SuppressOptions> = {},
  ) => suppress(boxes, { overlap, most, acrossClasses }),
  boxInPicture: (box: Box, { from, placement }: Pick<FittedPicture, "from" | "placement">) =>
    fromFrame(box, placement, from),
});
