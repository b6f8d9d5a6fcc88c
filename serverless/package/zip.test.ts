import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unpackZip } from "../../edge/install/unpack-zip.ts";
import { zip } from "./zip.ts";

const files = [
  { path: "function.js", content: Buffer.from("export {};\n".repeat(1_000)) },
  { path: "models/größe/1/model.onnx", content: Buffer.from([0, 255, 7]) },
  { path: "empty", content: Buffer.alloc(0) },
];

it("unpacks to what was packed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-zip-"));
  writeFileSync(join(folder, "a.zip"), await zip(files));
  await unpackZip(join(folder, "a.zip"), join(folder, "a"), { maxBytes: 100_000 });
  for (const { path, content } of files) expect(readFileSync(join(folder, "a", path))).toEqual(content);
});

it("has the same bytes whenever and in whatever order it is made", async () => {
  const first = await zip(files);
  expect(await zip(files.toReversed())).toEqual(first);
  // The time of each entry: 1980-01-01, midnight.
  expect(first.readUInt32LE(10)).toBe(0x00210000);
});

it("refuses more files than a zip holds", async () => {
  const many = Array.from({ length: 65_536 }, (_, index) => ({ path: `${index}`, content: Buffer.alloc(0) }));
  await expect(zip(many)).rejects.toThrow("65536 files; a zip holds 65535");
});
