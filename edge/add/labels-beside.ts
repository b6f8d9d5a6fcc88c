/** The files beside a model that may name its classes. */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { extname, join, parse } from "node:path";
import { parseLabels } from "../models/labels.ts";

export interface LabelFile {
  /** Its name in its folder. */
  readonly file: string;
  readonly labels: readonly string[];
}

const endings = new Set([".txt", ".names", ".csv", ".tsv", ".json", ".yaml", ".yml"]);
/** What people call them; Hugging Face keeps them in config.json. */
const usual = /label|class|names|synset|categor|coco|voc|imagenet/i;
const mostBytes = 2 ** 20;
/** Each of them is tried on a replica. */
const mostFiles = 6;

/**
 * @param stem name of the model's file without its ending: a file of that name comes first
 * @example
 * labelFilesIn("downloads", "yolo"); // [{ file: "coco.names", labels: ["person", …] }]
 */
export function labelFilesIn(folder: string, stem: string): LabelFile[] {
  const rank = (file: string): number => {
    const { name } = parse(file);
    if (name === stem) return 0;
    return name.includes(stem) || /^(labels|classes)$/i.test(name) ? 1 : 2;
  };
  const named = readdirSync(folder)
    .filter((file) => endings.has(extname(file).toLowerCase()) && file !== "config.yaml")
    .filter((file) => usual.test(file) || parse(file).name === stem || file === "config.json")
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return named.flatMap((file) => readLabels(folder, file) ?? []).slice(0, mostFiles);
}

/** Undefined when it holds none, or anything else than names. */
export function readLabels(folder: string, file: string): LabelFile | undefined {
  const path = join(folder, file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size > mostBytes) return undefined;
  try {
    const labels = parseLabels(readFileSync(path, "utf8"), file);
    return labels.length > 1 || labels[0] ? { file, labels } : undefined;
  } catch {
    return undefined;
  }
}
