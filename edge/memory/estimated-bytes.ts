/** What a model takes of the memory before it was ever loaded, by its files alone. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { externalDataOf } from "../add/external-data.ts";
import type { ModelFile } from "../models/model-runner.ts";
import { spareBytes } from "./model-memory.ts";

/** A model takes about so many times its file while it is loaded. */
const loadFactor = 2;

/** What one replica of a model takes while it is loaded, by its files alone: a process, and twice its weights. */
export function estimatedBytes({ path }: ModelFile): number {
  let weights: string[] = [];
  try {
    weights = path.endsWith(".onnx") ? externalDataOf(path) : [];
  } catch {
    // Whoever loads it says why it cannot be read.
  }
  const bytes = [path, ...weights.map((name) => join(dirname(path), name))].reduce(
    (sum, each) => sum + sizeOf(each),
    0,
  );
  return spareBytes + loadFactor * bytes;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
