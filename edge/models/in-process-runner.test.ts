import { expect, it } from "vitest";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { fp32, writeModel } from "../../test/support/row-models.ts";
import { tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { inProcessRunner } from "./in-process-runner.ts";
import { readModelConfig } from "./model-config.ts";
import type { ModelRunner } from "./model-runner.ts";

/** A model whose batch is fixed, in this process. */
function runnerOf(rows: number, config: object = {}): ModelRunner {
  const nodes = [{ op: "Identity", inputs: ["x"], output: "y" }];
  const path = writeModel(tinyOnnx([fp32("x", rows, 2)], nodes, [fp32("y", rows, 2)]));
  return inProcessRunner(
    { name: "m", version: "1", path, config: readModelConfig(config, "config.yaml") },
    1,
  );
}

const threeRows = {
  parameters: {},
  inputs: [tensorFromNumbers("x", "FP32", [3, 2], [1, 2, 3, 4, 5, 6])],
};

it.each([
  ["of one row", 1, {}],
  ["of more whose rows are said to be separate", 2, { joinRows: true }],
])("cuts a request by a fixed batch %s", async (_, rows, config) => {
  const { outputs } = await runnerOf(rows, config).run(threeRows);
  expect(outputs).toEqual([{ ...threeRows.inputs[0], name: "y" }]);
});

it.each([
  ["of more rows, since nothing is proved here", 2, {}],
  ["when its settings say no", 1, { joinRows: false }],
])("refuses other rows than those of a fixed batch %s", async (_, rows, config) => {
  const answer = runnerOf(rows, config).run(threeRows);
  await expect(answer).rejects.toMatchObject({
    status: 400,
    message: expect.stringMatching(/has 3 rows; the batch of model m is fixed at [12], .*joinRows/),
  });
});
