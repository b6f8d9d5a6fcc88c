import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { quantised, rowWise } from "../../test/support/row-models.ts";
import { quantisesDynamically } from "./quantised-file.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-quantised-"));
const path = join(folder, "model.onnx");
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ["has such an operator", quantised(), true],
  ["has none", (rowWise["a dense layer"] as () => Buffer)(), false],
  ["has its name across the end of a chunk", `${"x".repeat(2 ** 20 - 5)}DynamicQuantizeLSTM`, true],
  ["has its name in the last of several chunks", `${"x".repeat(3 * 2 ** 20)}DynamicQuantizeMatMul`, true],
  ["is empty", "", false],
])("a file that %s", (_, content, expected) => {
  writeFileSync(path, content);
  expect(quantisesDynamically(path)).toBe(expected);
});
