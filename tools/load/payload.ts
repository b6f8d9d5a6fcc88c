/** The requests that are sent to a model: zeros in its shapes, rendered text, or pictures. */
import {
  type DescribedInput,
  type DescribedModel,
  type ExampleModel,
  exampleOfZeros,
} from "../../client/daemon/profile/example-input.ts";
import { createLines } from "../demo/text-lines.ts";
import { lineInput } from "../demo/render-line.ts";
import { describeModel, parseShapes } from "./model-description.ts";
import type { PayloadOptions } from "./options.ts";
import { pictureRequest, readPictures } from "./pictures.ts";
import { BodyCycle } from "./v2-caller.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { stackRequests } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import { whyUnreadable } from "../../base/error-text.ts";
import { throwUsage, UsageError } from "../../base/usage-error.ts";

/** Number of text lines that are sent in turn. */
const textLines = 64;

type AskedModel = PayloadOptions & { readonly url: string; readonly model: string };

/** @throws UsageError when the model cannot be described or the payload does not suit it (rejects) */
export async function loadBodies(options: AskedModel): Promise<BodyCycle> {
  return new BodyCycle(await requestsOf(options, await described(options)));
}

/** The model with requests of any number of rows. Throws like `loadBodies`. */
export async function exampleOf(options: AskedModel): Promise<ExampleModel> {
  const model = await described(options);
  if (options.payload === "tensors") return zerosOf(model);
  const requests = await requestsOf(options, model);
  const ofRow = (row: number): InferRequest => requests[row % requests.length] as InferRequest;
  return {
    name: model.name,
    replicas: model.replicas,
    request: (rows) => stackRequests(Array.from({ length: rows }, (_, row) => ofRow(row))),
  };
}

/** One kibibyte of zeros, for a server that ignores it. */
export function plainBodies(): BodyCycle {
  const input: Tensor = { name: "x", datatype: "FP32", shape: [1, 256], data: new Uint8Array(1_024) };
  return new BodyCycle([{ parameters: {}, inputs: [input] }]);
}

function described({ url, model, shapes }: AskedModel): Promise<DescribedModel> {
  return describeModel(url, model, shapes === undefined ? new Map() : parseShapes(shapes));
}

function zerosOf(model: DescribedModel): ExampleModel {
  try {
    return exampleOfZeros(model);
  } catch (error) {
    throw new UsageError(`${model.name}: ${(error as Error).message}; choose another --payload`);
  }
}

/** One or more requests of one row, which may share a batch. */
async function requestsOf(options: PayloadOptions, model: DescribedModel): Promise<readonly InferRequest[]> {
  switch (options.payload) {
    case "tensors":
      return [zerosOf(model).request(1)];
    case "text": {
      const { name } = onlyInput(model);
      const lines = createLines(textLines, options.seed);
      const inputs = await Promise.all(lines.map((line) => lineInput(name, line)));
      return inputs.map((input) => ({ parameters: {}, inputs: [input] }));
    }
    case "images": {
      const input = onlyInput(model);
      const pictures = await picturesOf(options);
      return Promise.all(pictures.map((picture) => pictureRequest(picture, input))).catch(throwUsage);
    }
  }
}

async function picturesOf({ images, seed }: PayloadOptions): Promise<readonly Uint8Array[]> {
  if (images === undefined)
    throw new UsageError("--images is missing: give a folder of pictures, or an empty one");
  try {
    return await readPictures(images, seed);
  } catch (error) {
    throw new UsageError(`--images: ${images}: ${whyUnreadable(error)}`);
  }
}

function onlyInput({ inputs }: DescribedModel): DescribedInput {
  const [input, ...others] = inputs;
  if (input !== undefined && others.length === 0) return input;
  throw new UsageError(`the model has ${inputs.length} inputs; text and images need a model with one`);
}
