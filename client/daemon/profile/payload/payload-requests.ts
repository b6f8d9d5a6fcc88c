/** The requests that a model is measured or loaded with: zeros in its shapes, rendered text, or pictures. */
import { whyUnreadable } from "../../../../base/error-text.ts";
import { throwUsage, UsageError } from "../../../../base/usage-error.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { stackRequests } from "../../../../protocol/stack.ts";
import {
  type DescribedInput,
  type DescribedModel,
  type ExampleModel,
  exampleOfZeros,
} from "../example-input.ts";
import type { ChosenPayload } from "./payload-fields.ts";
import { pictureRequest, readPictures } from "./pictures.ts";
import { lineInput } from "./render-line.ts";
import { createLines } from "./text-lines.ts";

/** Number of text lines that are sent in turn. */
const textLines = 64;

/**
 * One or more requests of one row, which may share a batch.
 *
 * @throws UsageError when the payload does not suit the model (rejects)
 */
export async function payloadRequests(
  chosen: ChosenPayload,
  model: DescribedModel,
): Promise<readonly InferRequest[]> {
  switch (chosen.payload) {
    case "tensors":
      return [zerosOf(model).request(1)];
    case "text": {
      const { name } = onlyInput(model);
      const lines = createLines(textLines, chosen.seed);
      const inputs = await Promise.all(lines.map((line) => lineInput(name, line)));
      return inputs.map((input) => ({ parameters: {}, inputs: [input] }));
    }
    case "images": {
      const input = onlyInput(model);
      const pictures = await picturesOf(chosen);
      return Promise.all(pictures.map((picture) => pictureRequest(picture, input))).catch(throwUsage);
    }
  }
}

/** The model with requests of any number of rows. Throws like `payloadRequests`. */
export async function payloadExample(chosen: ChosenPayload, model: DescribedModel): Promise<ExampleModel> {
  if (chosen.payload === "tensors") return zerosOf(model);
  return exampleOfRows(model, await payloadRequests(chosen, model));
}

/** @param requests of one row each, which may share a batch and are taken in turn; at least one */
export function exampleOfRows(
  { name, replicas }: Pick<DescribedModel, "name" | "replicas">,
  requests: readonly InferRequest[],
): ExampleModel {
  const ofRow = (row: number): InferRequest => requests[row % requests.length] as InferRequest;
  return {
    name,
    replicas,
    request: (rows) => stackRequests(Array.from({ length: rows }, (_, row) => ofRow(row))),
  };
}

function zerosOf(model: DescribedModel): ExampleModel {
  try {
    return exampleOfZeros(model);
  } catch (error) {
    throw new UsageError(`${model.name}: ${(error as Error).message}; choose another --payload`);
  }
}

async function picturesOf({ images, seed }: ChosenPayload): Promise<readonly Uint8Array[]> {
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
