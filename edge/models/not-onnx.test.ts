import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { whyNotOnnx } from "./not-onnx.ts";

const path = join(mkdtempSync(join(tmpdir(), "spillway-not-onnx-")), "model.onnx");

it.each([
  ["version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", /Git LFS pointer/],
  ["", /empty/],
  ["\n<!DOCTYPE html><html>", /web page/],
  ["PK\u0003\u0004rest", /zip/],
])("says what %j is", (content, reason) => {
  writeFileSync(path, content);
  expect(whyNotOnnx(path)).toMatch(reason);
});

it("says nothing of a model, of other bytes, or of a file that is not there", () => {
  const x = { name: "x", datatype: "FP32" as const, shape: [1] };
  writeFileSync(path, tinyOnnx([x], [{ op: "Identity", inputs: ["x"], output: "y" }], [{ ...x, name: "y" }]));
  expect(whyNotOnnx(path)).toBeUndefined();
  writeFileSync(path, Buffer.from([1, 2, 3]));
  expect(whyNotOnnx(path)).toBeUndefined();
  expect(whyNotOnnx("/nowhere/model.onnx")).toBeUndefined();
});
