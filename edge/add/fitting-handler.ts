/** Which built-in handler fits a model that takes pictures: each is opened on a replica, which shows whether it does. */
import type { Logger } from "pino";
import type { ModelMetadata } from "../../protocol/message.ts";
import { fileProperties } from "../models/file-properties.ts";
import { labelsInFile } from "../vision/handlers/labels-in-file.ts";
import { type ModelConfig, readModelConfig } from "../models/model-config.ts";
import type { ModelFile } from "../models/model-runner.ts";
import { pictureFormat, unitPixels } from "../vision/pictures/picture-format.ts";
import type { LabelFile } from "./labels-beside.ts";
import { tryHandler } from "./try-model.ts";

export type PictureHandler = "image-classification" | "object-detection";

export interface TriedHandler {
  readonly handler: PictureHandler;
  readonly settings: Readonly<Record<string, string>>;
  /** The file that names its classes; undefined for those in the model's file, or none. */
  readonly labels: string | undefined;
  /** Why it fits, in one clause. */
  readonly why: string;
  /** Whether its form leaves no doubt: any list of numbers can be taken for scores of classes without names. */
  readonly isSure: boolean;
  /** Why it does not fit; undefined when it answered a picture. */
  readonly fault: string | undefined;
}

export interface HandlerTrialOptions {
  readonly model: ModelFile;
  /** Of the model without a handler. */
  readonly metadata: ModelMetadata;
  readonly labelFiles: readonly LabelFile[];
  /** The user named the one file of labels, which then must fit. */
  readonly areLabelsStated: boolean;
  /** The only handler to be tried; undefined for all. */
  readonly only: PictureHandler | undefined;
  readonly threads: number;
  readonly log: Logger;
}

/**
 * The first handler that fits, or all that were tried with what is wrong with each; none when the model takes no pictures.
 *
 * @example
 * const [best] = await fittingHandlers(options); // { handler: "object-detection", settings: { outputs: "ultraface" }, … }
 */
export async function fittingHandlers(options: HandlerTrialOptions): Promise<TriedHandler[]> {
  const { metadata, only } = options;
  if (only === undefined && !takesPictures(metadata)) return [];
  const faults: TriedHandler[] = [];
  for (const handler of only === undefined ? likeliestFirst(metadata) : [only]) {
    const tried = await triedWithLabels(handler, options);
    if (tried.fault === undefined) return [tried];
    faults.push(tried);
  }
  return faults;
}

function takesPictures({ inputs }: ModelMetadata): boolean {
  try {
    const { width = 640, height = 640 } = pictureFormat(
      inputs,
      { invert: false, kernel: "linear" },
      unitPixels,
    );
    // Three dimensions are a picture at times, and sound or text at others.
    return inputs[0]?.shape.length === 4 && width >= 8 && height >= 8;
  } catch {
    return false;
  }
}

function likeliestFirst({ outputs }: ModelMetadata): PictureHandler[] {
  const isList = outputs.some(({ shape }) => shape.slice(1).filter((size) => size !== 1).length === 1);
  return isList ? ["image-classification", "object-detection"] : ["object-detection", "image-classification"];
}

/** With the first labels that fit, else without. */
async function triedWithLabels(handler: PictureHandler, options: HandlerTrialOptions): Promise<TriedHandler> {
  const { model, labelFiles, areLabelsStated, threads, log } = options;
  const own = areLabelsStated ? undefined : await labelsInFile(fileProperties(model.path));
  let fault: string | undefined;
  const files = own === undefined ? labelFiles : [];
  const none = { file: undefined, labels: undefined };
  for (const { file, labels } of areLabelsStated ? files : [...files, none]) {
    const config: ModelConfig = readModelConfig(
      { handler, ...(labels && { labels }), joinRows: false },
      "its settings",
    );
    const tried = await tryHandler({ model: { ...model, handler, config }, threads, log });
    if (typeof tried === "string") {
      // What is wrong with the likeliest labels says most, where none do.
      fault ??= tried;
      continue;
    }
    const head = tried.outputs[0]?.parameters?.["head"];
    const source = file ?? (own === undefined ? undefined : "the model's file");
    const names = source === undefined ? "" : `, and ${source} names its classes`;
    const form =
      head === undefined ? "it gives a number for each class" : `its outputs are boxes in the form "${head}"`;
    return {
      handler,
      settings: typeof head === "string" ? { outputs: head } : {},
      labels: file,
      why: `${inputText(options.metadata)}, ${form}${names}`,
      isSure: head !== undefined || source !== undefined,
      fault: undefined,
    };
  }
  return { handler, settings: {}, labels: undefined, why: "", isSure: false, fault };
}

function inputText({ inputs }: ModelMetadata): string {
  const format = pictureFormat(inputs, { invert: false, kernel: "linear" }, unitPixels);
  const size = format.width === undefined ? "any size" : `${format.width} x ${format.height}`;
  return `its input is a picture of ${size} in ${format.channels === "grey" ? "grey" : "colour"}`;
}
