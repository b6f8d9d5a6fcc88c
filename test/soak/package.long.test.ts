/** What is slow of packing: a second checkout, and models of one's own with a handler of pictures. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { embeddedModels } from "../../edge/models/repository.ts";
import { buildPackage, checkout, newFolder, startPackage } from "../support/package-process.ts";

it("two checkouts at different places make the same zip, byte by byte", () => {
  const other = newFolder();
  const skipped =
    /node_modules\/(\.|echarts|vitest|ox|@ox|@roll|typescript|@typescript|@alicloud|@serverless-devs)/;
  cpSync(join(checkout, "dist"), join(other, "dist"), { recursive: true });
  cpSync(join(checkout, "node_modules"), join(other, "node_modules"), {
    recursive: true,
    filter: (path) => !skipped.test(path) && !/napi-v6\/(darwin|win32)/.test(path),
  });
  copyFileSync(join(checkout, "package.json"), join(other, "package.json"));
  const [first, second] = [newFolder(), newFolder()];
  expect(buildPackage(first)).toMatch(
    /onnxruntime-node +\d+\.\d MiB[^]*unpacked +\d+\.\d MiB[^]*zipped +\d+\.\d MiB \(limit: 100 MiB/,
  );
  buildPackage(second, undefined, other);
  const bytes = readFileSync(join(first, "function.zip"));
  expect(bytes.equals(readFileSync(join(second, "function.zip")))).toBe(true);
});

it("models of one's own are packed with what a handler of pictures needs, and answer", async () => {
  const [models, out] = [newFolder(), newFolder()];
  const [classifier] = embeddedModels();
  mkdirSync(join(models, "direction", "1"), { recursive: true });
  copyFileSync(classifier?.path as string, join(models, "direction", "1", "model.onnx"));
  writeFileSync(
    join(models, "direction", "config.yaml"),
    `handler: image-classification
labels: ["0", "180"]
settings: { width: 192, height: 48, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], scores: probabilities, top: 1 }
`,
  );
  expect(buildPackage(out, models)).toMatch(/sharp-libvips-linux-x64[^]*models/);
  const { url } = await startPackage(join(out, "code"));
  expect((await fetch(`${url}/initialize`, { method: "POST" })).status).toBe(200);
  const picture = await sharp({ create: { width: 192, height: 48, channels: 3, background: "white" } })
    .png()
    .toBuffer();
  const answer = await fetch(`${url}/v2/models/direction/predict`, {
    method: "POST",
    headers: { "content-type": "image/png" },
    body: picture,
  });
  expect(answer.status).toBe(200);
  expect(JSON.stringify(await answer.json())).toMatch(/"(0|180)"/);
});
