/** A queue before an edge measures the models whose metadata says too little, by the examples that the edge names. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { putModel } from "../contract/conformance-models.ts";
import { startEdge } from "../contract/running-edge.ts";
import { startProgram } from "../contract/running-program.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

it("measures a model with an open dimension of one size, one of pictures and one of text", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-examples-"));
  const [x, y] = [
    { name: "x", datatype: "FP32" as const, shape: [-1, "width"] },
    { name: "y", datatype: "FP32" as const, shape: [-1, 2] },
  ];
  const nodes = [{ op: "MatMul", inputs: ["x", "w"], output: "y" }];
  const w = { shape: [64, 2], data: new Float32Array(128) };
  putModel(folder, "open", "1", tinyOnnx([x], nodes, [y], { w }));
  const handler = (check: string): string => `
    const tensor = { name: "file", datatype: "BYTES", shape: [-1] };
    export const inputs = [tensor], outputs = [tensor];
    export const predict = async (tensors) => { ${check} return tensors; };`;
  for (const [name, check] of [
    ["picture", 'if (tensors[0].data[5] !== 0x50) throw new Error("no PNG");'],
    ["text", 'if (tensors[0].data.length > 1000) throw new Error("too long");'],
  ] as const) {
    mkdirSync(join(folder, name, "1"), { recursive: true });
    writeFileSync(join(folder, name, "1", "handler.mjs"), handler(check));
  }
  const edge = await startEdge("--models", folder);
  const path = join(folder, "profile.json");
  const queue = await startProgram("vqueue", [
    "--edge",
    edge.url,
    "--no-serverless",
    "--calibrate",
    "6",
    "--save-profile",
    path,
  ]);
  const { targets } = JSON.parse(readFileSync(path, "utf8")) as {
    targets: { models: Record<string, { requestBytes: number; serviceMs: object; isAssumed?: boolean }> }[];
  };
  const measured = targets[0]?.models ?? {};
  expect(Object.keys(measured).sort()).toEqual(["open", "picture", "text"]);
  for (const times of Object.values(measured)) {
    expect(times.isAssumed).toBeUndefined();
    expect(Object.keys(times.serviceMs)).toContain("1");
  }
  expect(measured["picture"]?.requestBytes).toBeGreaterThan(10_000);
  expect(measured["open"]?.requestBytes).toBeGreaterThan(64 * 4);
  expect(queue.log()).not.toContain("not measured");
  expect([await queue.stop(), await edge.stop()]).toEqual([0, 0]);
});
