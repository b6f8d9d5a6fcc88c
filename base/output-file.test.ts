import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { checkFolder, openOutputFile, replaceFile, writeTextFile } from "./output-file.ts";
import { UsageError } from "./usage-error.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spillway-output-"));
});

it("replaces a file as a whole, with its permissions", () => {
  const path = join(folder, "a.json");
  writeTextFile(path, "first");
  chmodSync(path, 0o640);
  const reader = statSync(path).ino;
  writeTextFile(path, "second");
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(statSync(path).ino).not.toBe(reader);
  replaceFile(path, "third", 0o600);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["a.json"]);
});

it("keeps the file that was there until the new one is whole, and always when it is given up", () => {
  const path = join(folder, "a.json");
  writeFileSync(path, "before");
  const file = openOutputFile(path);
  writeSync(file.fd, "half of");
  expect(readFileSync(path, "utf8")).toBe("before");
  closeSync(file.fd);
  file.discard();
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["before", ["a.json"]]);
});

it("writes through no symbolic link", () => {
  const [mine, link] = [join(folder, "mine"), join(folder, "link")];
  writeFileSync(mine, "kept");
  symlinkSync(mine, link);
  writeTextFile(link, "new");
  expect([readFileSync(mine, "utf8"), readFileSync(link, "utf8")]).toEqual(["kept", "new"]);
  expect(lstatSync(link).isSymbolicLink()).toBe(false);
});

it("writes to devices as they are, and says when they are full", () => {
  writeTextFile("/dev/null", "gone");
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  expect(() => writeTextFile("/dev/full", "x", "--save: /dev/full")).toThrow(
    new UsageError("--save: /dev/full: ENOSPC: no space left on device, write"),
  );
});

it("says before the work where no file can be made", () => {
  mkdirSync(join(folder, "sub"));
  expect(() => checkFolder("--save", join(folder, "sub"))).toThrow(
    /^--save: .*sub: is a folder, not a file$/,
  );
  expect(() => checkFolder("--save", join(folder, "no/such"))).toThrow("no such folder");
  checkFolder("--save", join(folder, "new"));
  checkFolder("--save", "/dev/null");
  checkFolder("--save", undefined);
  expect(readdirSync(folder)).toEqual(["sub"]);
});
