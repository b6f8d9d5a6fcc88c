import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { openSpendFile } from "./spend.ts";

// The real ones, watched: what reaches the disk when cannot be seen in the file afterwards.
vi.mock("node:fs", { spy: true });
const { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } = fs;

const folder = mkdtempSync(join(tmpdir(), "spillway-spend-"));
afterAll(() => rmSync(folder, { recursive: true }));
const spent = { atMs: 7, claimed: 0.5, hour: [[1, 0.25]], day: [[0, 0.25]] } as const;

it("keeps what was saved for the next run, as a whole", () => {
  const path = join(folder, "kept.json");
  const first = openSpendFile(path, "CNY");
  expect(first.saved).toBeUndefined();
  first.save({ ...spent, claimed: 9 });
  first.save(spent);
  expect(openSpendFile(path, "CNY").saved).toMatchObject(spent);
  expect(readdirSync(folder)).toEqual(["kept.json"]);
});

it("is on the disk whole and with its new name before a call is made, and no two daemons write the same file", async () => {
  const path = join(folder, "synced.json");
  const real = await vi.importActual<typeof fs>("node:fs");
  const steps: string[] = [];
  const names = new Set<unknown>();
  vi.mocked(fs.fsyncSync).mockImplementation((file) => {
    steps.push(`sync ${real.fstatSync(file).isDirectory() ? "folder" : "file"}`);
    real.fsyncSync(file);
  });
  vi.mocked(fs.renameSync).mockImplementation((from, to) => {
    steps.push("rename");
    names.add(from);
    real.renameSync(from, to);
  });
  // A disk that is nearly full takes a part.
  vi.mocked(fs.writeSync).mockImplementation((file, text) => real.writeSync(file, text.slice(0, 10)));
  for (const currency of ["CNY", "CNY"]) openSpendFile(path, currency).save(spent);
  vi.resetAllMocks();
  expect(steps).toEqual(["sync file", "rename", "sync folder", "sync file", "rename", "sync folder"]);
  expect(names.size).toBe(2);
  expect(openSpendFile(path, "CNY").saved).toMatchObject(spent);
});

it("leaves nothing behind when it cannot be replaced", () => {
  const path = join(folder, "full.json");
  openSpendFile(path, "CNY").save(spent);
  const before = readdirSync(folder);
  vi.mocked(fs.fsyncSync).mockImplementationOnce(() => {
    throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
  });
  expect(() => openSpendFile(path, "CNY").save({ ...spent, claimed: 9 })).toThrow(/full.json/);
  expect(readdirSync(folder)).toEqual(before);
  expect(openSpendFile(path, "CNY").saved).toMatchObject(spent);
});

it("can be used by one daemon at a time: the one that came last", () => {
  const path = join(folder, "shared.json");
  let taken = 0;
  const old = openSpendFile(path, "CNY", () => taken++);
  old.save(spent);
  const next = openSpendFile(path, "CNY");
  next.save(spent);
  for (const _ of [1, 2]) expect(() => old.save(spent)).toThrow(/is used by another daemon now/);
  expect(taken).toBe(1);
  next.save(spent);
});

it("refuses what is none of its files, in another currency, or cannot be read", () => {
  const path = join(folder, "other");
  writeFileSync(path, "{}");
  expect(() => openSpendFile(path, "CNY")).toThrow(/other: is no record of money spent; remove it/);
  expect(readFileSync(path, "utf8")).toBe("{}");
  const yuan = join(folder, "yuan.json");
  openSpendFile(yuan, "CNY").save(spent);
  expect(() => openSpendFile(yuan, "USD")).toThrow(/is in CNY; the price sheet is in USD/);
  mkdirSync(join(folder, "dir"));
  expect(() => openSpendFile(join(folder, "dir"), "CNY")).toThrow(/dir: is a folder/);
  expect(() => openSpendFile(join(folder, "none", "x"), "CNY").save(spent)).toThrow(/no such folder/);
});
