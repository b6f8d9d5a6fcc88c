/** A folder of pictures as the input of `infer`: the files as they are where the model takes bytes, else their colours. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { whyUnreadable } from "../../base/error-text.ts";
import { InputError } from "../../base/usage-error.ts";
import { type DescribedInput, describedModel } from "../../client/daemon/profile/example-input.ts";
import { pictureRequest } from "../../client/daemon/profile/payload/pictures.ts";
import type { InferRequest } from "../../protocol/message.ts";
import type { BulkInput } from "./bulk-input.ts";

const pictureName = /\.(jpe?g|png|webp)$/i;
const mostPictures = 1_000_000;

/**
 * The JPEG, PNG and WebP files in a folder and in those below it, by name.
 *
 * @param description the model's metadata, as its server gives it
 * @throws InputError when there are none, or the model takes something else
 */
export function openPictures(folder: string, model: string, description: Uint8Array): BulkInput {
  const input = takenBy(folder, model, description);
  const names = namesIn(folder);
  if (names.length === 0) throw new InputError(folder, "", "there are no .jpg, .png or .webp files in it");
  if (names.length > mostPictures)
    throw new InputError(folder, "", `${names.length} pictures; allowed: at most ${mostPictures}`);
  const hash = createHash("sha256");
  for (const name of names) {
    const { size, mtimeMs } = statSync(join(folder, name));
    hash.update(`${name}\0${size}\0${mtimeMs}\n`);
  }
  return {
    kind: "pictures",
    count: names.length,
    digest: hash.digest("hex"),
    items: async function* (from) {
      for (let index = from; index < names.length; index++) {
        const name = names[index] as string;
        yield { index, name, request: await requestOf(join(folder, name), input) };
      }
    },
  };
}

async function requestOf(path: string, input: DescribedInput): Promise<InferRequest | Error> {
  try {
    return await pictureRequest(readFileSync(path), input);
  } catch (error) {
    return new Error(whyUnreadable(error));
  }
}

/** The same on every machine: names have slashes, and their order is that of their characters. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => pictureName.test(name))
      .map((name) => name.replaceAll(sep, "/"))
      .filter((name) => !/(^|\/)\./.test(name) && statSync(join(folder, name)).isFile())
      .sort();
  } catch (error) {
    throw new InputError(folder, "", whyUnreadable(error));
  }
}

function takenBy(folder: string, model: string, description: Uint8Array): DescribedInput {
  try {
    const { inputs } = describedModel(model, description);
    const [input, ...others] = inputs;
    if (input !== undefined && others.length === 0) return input;
    throw new Error(`it has ${inputs.length} inputs; pictures need a model with one`);
  } catch (error) {
    throw new InputError(folder, "", `model ${model}: ${(error as Error).message}`);
  }
}
