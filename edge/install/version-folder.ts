/**
 * Finds the version of a model in unpacked files. People zip a model's folder, what is in it, or what is in a
 * version's folder; each is understood.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { holdsModel } from "../models/repository.ts";

/**
 * The folder with `model.onnx` or a handler, and all that belongs to it, and its version, 0 when the files do not say.
 *
 * @throws Error when there is neither where it may be
 */
export async function versionFolderIn(files: string): Promise<{ from: string; version: number }> {
  const top = topOf(files);
  if (holdsModel(top)) return { from: top, version: 0 };
  const names = readdirSync(top);
  const version = names
    .filter((name) => /^[0-9]{1,15}$/.test(name) && holdsModel(join(top, name)))
    .sort((a, b) => Number(b) - Number(a))[0];
  if (version === undefined) {
    throw new Error(
      "there is no model.onnx and no handler; expected model.onnx, VERSION/model.onnx or NAME/VERSION/model.onnx",
    );
  }
  const from = join(top, version);
  // What lies beside versions, such as config.yaml and labels, goes with the version it came with.
  for (const name of names.filter((each) => !/^[0-9]+$/.test(each) && !existsSync(join(from, each)))) {
    await rename(join(top, name), join(from, name));
  }
  return { from, version: Number(version) };
}

/** The folder itself, or the only one in it when that is no version. */
function topOf(files: string): string {
  const [only, ...others] = readdirSync(files).filter((name) => name !== "__MACOSX");
  if (only === undefined || others.length > 0 || /^[0-9]+$/.test(only)) return files;
  return statSync(join(files, only)).isDirectory() ? join(files, only) : files;
}
