import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { readElf } from "./elf-file.ts";
import { packagedLibrary } from "./runtime-library.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-elf-"));
const isLinux = process.platform === "linux";
const binding = isLinux ? readFileSync(packagedLibrary().binding) : Buffer.alloc(0);

function written(bytes: Uint8Array): string {
  const path = join(folder, "file");
  writeFileSync(path, bytes);
  return path;
}

it.skipIf(!isLinux)("finds in the binding and its library the same version of their symbols", () => {
  const { library, binding: path, release } = packagedLibrary();
  expect(readElf(library)).toMatchObject({
    machine: process.arch,
    defines: ["libonnxruntime.so.1", `VERS_${release}`],
  });
  expect(readElf(path).needs.get("libonnxruntime.so.1")).toEqual([`VERS_${release}`]);
});

it.skipIf(!isLinux)("finds what readelf finds in the program of Node", (context) => {
  let printed: string;
  try {
    printed = execFileSync("readelf", ["-VW", process.execPath], { maxBuffer: 2 ** 28 }).toString();
  } catch {
    return context.skip("readelf of binutils is not here");
  }
  const { needs } = readElf(process.execPath);
  const names = [...printed.matchAll(/Name: (\S+) +Flags: \S+ +Version: \d+$/gm)].map(([, name]) => name);
  const own = readElf(process.execPath).defines;
  const needed = names.filter((name) => !own.includes(name as string));
  const found = [...needs.values()].flat();
  expect([found.length, new Set(found)]).toEqual([needed.length, new Set(needed)]);
});

it.each([
  ["an empty file", Buffer.alloc(0)],
  ["a text", Buffer.from("version https://git-lfs.github.com/spec/v1\n".repeat(3))],
  ["a script", Buffer.from(`#!/bin/sh\n${"echo\n".repeat(20)}`)],
])("says of %s that it is no shared library", (_, bytes) => {
  expect(() => readElf(written(bytes))).toThrow("is no shared library (ELF)");
});

it.skipIf(!isLinux)("ends with an answer or an error for whatever a file says", () => {
  const flip = fc.record({ at: fc.nat(4_096), to: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(flip, { maxLength: 6 }), fc.nat(binding.length), (flips, end) => {
      const changed = Buffer.from(binding.subarray(0, flips.length % 2 === 0 ? end : binding.length));
      for (const { at, to } of flips) if (at < changed.length) changed[at] = to;
      try {
        expect(readElf(written(changed)).defines).toBeInstanceOf(Array);
      } catch (error) {
        expect((error as Error).message).toMatch(/^is /);
      }
    }),
    { numRuns: 200 },
  );
});
