/** Models that the contract of a function asks for, as repository folders. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putModel, simpleModel } from "./conformance-models.ts";

/** Fails for a batch with a negative number in it, and else answers with what it got. */
const moody = `
const tensor = (name) => ({ name, datatype: "INT32", shape: [-1, 1] });
export const inputs = [tensor("x")];
export const outputs = [tensor("y")];
export function predict([x]) {
  if (new Int32Array(x.data.buffer, x.data.byteOffset, x.data.length / 4).some((value) => value < 0)) {
    throw new Error("negative mood");
  }
  return [{ ...x, name: "y" }];
}
`;

/** A new folder with `simple` (version 3) and `moody`. */
export function functionRepository(): string {
  const folder = newFolder();
  putModel(folder, "simple", "3", simpleModel());
  mkdirSync(join(folder, "moody"));
  writeFileSync(join(folder, "moody", "handler.mjs"), moody);
  return folder;
}

/** A new folder with a model that cannot be loaded. */
export function brokenRepository(): string {
  const folder = newFolder();
  putModel(folder, "broken", "1", Buffer.from("no model"));
  return folder;
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "spillway-function-"));
}
