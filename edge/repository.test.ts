import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findModels } from "./repository.ts";

function repository(...files: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "spillway-models-"));
  for (const file of files) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

it("takes the highest version of each model, by number", () => {
  const folder = repository(
    "a/9/model.onnx",
    "a/10/model.onnx",
    "a/x/model.onnx",
    "b/1/model.onnx",
    ".git/1/model.onnx",
  );
  expect(findModels(folder)).toEqual([
    { name: "a", version: "10", path: join(folder, "a/10/model.onnx") },
    { name: "b", version: "1", path: join(folder, "b/1/model.onnx") },
  ]);
});

it("names the folder that is missing, empty or without a version", () => {
  expect(() => findModels("/no/such/folder")).toThrow("/no/such/folder: no such folder");
  expect(() => findModels(repository())).toThrow(/holds no model/);
  expect(() => findModels(repository("m/model.onnx"))).toThrow(/m: no VERSION\/model\.onnx/);
});
