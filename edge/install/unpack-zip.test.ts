import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type TinyEntry, tinyZip } from "../../test/support/tiny-zip.ts";
import { unpackZip } from "./unpack-zip.ts";

const limits = { maxBytes: 50 * 2 ** 20 };
const file = (name: string, content = "x", more: Partial<TinyEntry> = {}): TinyEntry => {
  return { name, content: Buffer.from(content), ...more };
};

async function unpack(bytes: Buffer, maxBytes = limits.maxBytes): Promise<string> {
  const outer = mkdtempSync(join(tmpdir(), "spillway-zip-"));
  const folder = join(outer, "files");
  mkdirSync(folder);
  writeFileSync(join(outer, "a.zip"), bytes);
  try {
    await unpackZip(join(outer, "a.zip"), folder, { maxBytes });
  } finally {
    // Whatever happens, nothing is written beside the folder.
    expect(readdirSync(outer).toSorted()).toEqual(["a.zip", "files"]);
  }
  return folder;
}

it("unpacks files and folders", async () => {
  const folder = await unpack(
    tinyZip([file("m/"), file("m/1/model.onnx", "onnx"), file("m/config.yaml", "")]),
  );
  expect(readFileSync(join(folder, "m/1/model.onnx"), "utf8")).toBe("onnx");
  expect(readFileSync(join(folder, "m/config.yaml"), "utf8")).toBe("");
});

it.each<[string, TinyEntry[], RegExp]>([
  ["a name that leads upwards", [file("../evil")], /\.\./],
  ["a name that leads upwards inside", [file("a/../../evil")], /\.\./],
  ["an absolute name", [file("/tmp/evil")], /absolute/],
  ["a drive", [file("C:/evil")], /absolute|invalid/],
  ["a symbolic link", [file("link", "/etc/passwd", { mode: 0o120777 })], /"link" in the zip is a link/],
  ["a device", [file("dev", "", { mode: 0o020666 })], /link or a device/],
  ["a name twice", [file("a"), file("a")], /EEXIST/],
  ["a file below a file", [file("a"), file("a/b")], /EEXIST|ENOTDIR/],
  ["a deep path", [file(`${"a/".repeat(20)}b`)], /too deep; allowed: at most 16 folders/],
  ["a size that is a lie", [file("a", "x".repeat(1_000), { claimedBytes: 10 })], /too many bytes/],
])("refuses %s", async (_, entries, message) => {
  await expect(unpack(tinyZip(entries))).rejects.toThrow(message);
  expect(existsSync("/tmp/evil")).toBe(false);
});

it("stops a bomb at the ratio, and large contents at the limit", async () => {
  const bomb = { name: "model.onnx", content: Buffer.alloc(40 * 2 ** 20) };
  await expect(unpack(tinyZip([bomb]))).rejects.toThrow(/unpacks to too much/);
  const two = [file("a", "x".repeat(600)), file("b", "x".repeat(600))];
  await expect(unpack(tinyZip(two), 1_000)).rejects.toThrow(
    /"b" in the zip unpacks to too much; allowed: at most 400 bytes/,
  );
});

it("counts the bytes of all files against the ratio, so that many small ones are no way around it", async () => {
  const zeros = Buffer.alloc(2 ** 20);
  const many = Array.from({ length: 12 }, (_, index) => ({ name: `m/${index}`, content: zeros }));
  await expect(unpack(tinyZip(many))).rejects.toThrow(/"m\/\d+" in the zip unpacks to too much/);
});

it("refuses too many entries, and what is no zip", async () => {
  const many = Array.from({ length: 10_001 }, (_, index) => file(String(index)));
  await expect(unpack(tinyZip(many))).rejects.toThrow(/10001 entries; allowed: at most 10000/);
  await expect(unpack(Buffer.from("no zip at all, but long enough to hold an end record"))).rejects.toThrow();
});
