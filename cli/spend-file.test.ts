import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openSpendFile } from "./spend-file.ts";

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

it("can be used by one daemon at a time: the one that came last", () => {
  const path = join(folder, "shared.json");
  const old = openSpendFile(path, "CNY");
  old.save(spent);
  const next = openSpendFile(path, "CNY");
  next.save(spent);
  expect(() => old.save(spent)).toThrow(/has another owner by now/);
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
