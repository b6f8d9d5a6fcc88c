/** Where a version is in files that somebody brings, and where they are until it is in place. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { holdsModel } from "../models/repository.ts";

/** The folder for what is not in place yet; no model can have this name. */
export const stagingName = ".incoming";

export interface VersionFolder {
  /** The folder with `model.onnx` or a handler, and everything that belongs to it. */
  readonly from: string;
  /** 0 when the files do not say. */
  readonly version: number;
}

/** The version in unpacked files: people zip a model's folder, its content, or the content of a version's folder. */
export async function versionFolderIn(files: string): Promise<VersionFolder> {
  const top = topOf(files);
  if (holdsModel(top)) return { from: top, version: 0 };
  const names = readdirSync(top);
  const version = names
    .filter((name) => /^[0-9]{1,15}$/.test(name) && holdsModel(join(top, name)))
    .sort((a, b) => Number(b) - Number(a))[0];
  if (version === undefined) {
    throw new Error("there is no model; expected model.onnx, VERSION/model.onnx or NAME/VERSION/model.onnx");
  }
  const from = join(top, version);
  // Files beside the versions, such as config.yaml and labels, go with the version that they came with.
  for (const name of names.filter((each) => !/^[0-9]+$/.test(each) && !existsSync(join(from, each)))) {
    await rename(join(top, name), join(from, name));
  }
  return { from, version: Number(version) };
}

/** The folder itself, or the only folder in it when that is not a version. */
function topOf(files: string): string {
  const [only, ...others] = readdirSync(files).filter((name) => name !== "__MACOSX");
  if (only === undefined || others.length > 0 || /^[0-9]+$/.test(only)) return files;
  return statSync(join(files, only)).isDirectory() ? join(files, only) : files;
}
