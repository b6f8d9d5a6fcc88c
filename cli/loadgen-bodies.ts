/** The bodies of a load: from the model's metadata, from rendered text, or from pictures. */
import { createLines } from "../demo/text-lines.ts";
import { lineInput } from "../demo/line-input.ts";
import { BodyCycle } from "../load/body-cycle.ts";
import { describeModel, parseShapes } from "../load/model-description.ts";
import type { LoadgenOptions } from "../load/options.ts";
import { pictureRequest, readPictures } from "../load/pictures.ts";
import type { InferRequest } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";
import { whyUnreadable } from "../replay/file-fault.ts";
import { throwUsage, UsageError } from "./options.ts";

/** How many lines of text take turns. */
const textLines = 64;

/** @throws UsageError when the model cannot be asked, or the payload does not suit it (rejects) */
export async function loadBodies(
  options: LoadgenOptions & { readonly url: string; readonly model: string },
): Promise<BodyCycle> {
  const shapes = shapesOf(options.shapes);
  const example = await describeModel(options.url, options.model, shapes)
    .then((model) => model.request(1))
    .catch(throwUsage);
  return new BodyCycle(await requestsOf(options, example));
}

/** One kibibyte of zeros, for a server that does not look at it. */
export function plainBodies(): BodyCycle {
  const input: Tensor = { name: "x", datatype: "FP32", shape: [1, 256], data: new Uint8Array(1_024) };
  return new BodyCycle([{ parameters: {}, inputs: [input] }]);
}

async function requestsOf(options: LoadgenOptions, example: InferRequest): Promise<readonly InferRequest[]> {
  switch (options.payload) {
    case "tensors":
      return [example];
    case "text": {
      const { name } = onlyInput(example);
      const lines = createLines(textLines, options.seed);
      const inputs = await Promise.all(lines.map((line) => lineInput(name, line)));
      return inputs.map((input) => ({ parameters: {}, inputs: [input] }));
    }
    case "images": {
      const input = onlyInput(example);
      const pictures = await picturesOf(options);
      return Promise.all(pictures.map((picture) => pictureRequest(picture, input))).catch(throwUsage);
    }
  }
}

async function picturesOf({ images, seed }: LoadgenOptions): Promise<readonly Uint8Array[]> {
  if (images === undefined)
    throw new UsageError("--images is missing: a folder of pictures, or an empty one");
  try {
    return await readPictures(images, seed);
  } catch (error) {
    throw new UsageError(`--images: ${images}: ${whyUnreadable(error)}`);
  }
}

function onlyInput({ inputs }: InferRequest): Tensor {
  const [input, ...others] = inputs;
  if (input !== undefined && others.length === 0) return input;
  throw new UsageError(`the model has ${inputs.length} inputs; text and pictures suit models with one`);
}

/** @throws UsageError when the text of `--shapes` is not of its form */
export function shapesOf(text: string | undefined): ReturnType<typeof parseShapes> {
  if (text === undefined) return new Map();
  try {
    return parseShapes(text);
  } catch (error) {
    throw new UsageError(`--shapes: ${(error as Error).message}`);
  }
}
