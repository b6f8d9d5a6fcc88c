import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { UsageError } from "../../../base/usage-error.ts";
import { eventually } from "../../../test/support/built.ts";
import { RecordFile } from "./record-file.ts";

afterEach(() => vi.restoreAllMocks());

const scratch = mkdtempSync(join(tmpdir(), "spillway-record-"));
let made = 0;

function folder(): string {
  const path = join(scratch, String(made++));
  mkdirSync(path);
  return path;
}

async function recording(path: string, mostWaitingBytes?: number) {
  const ends: string[] = [];
  const bound = mostWaitingBytes === undefined ? {} : { mostWaitingBytes };
  const file = await RecordFile.open(path, { onEnd: (why) => ends.push(why), ...bound });
  if (file === undefined) throw new Error("no file");
  return { file, ends };
}

/** Makes every file write as `take` says: how many of so many bytes, or an error's code. */
async function writeAs(take: (bytes: number) => number | string): Promise<void> {
  const probe = await open("/dev/null", "w");
  const files = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const write = files.write as (bytes: Uint8Array, at: number, length?: number) => Promise<unknown>;
  vi.spyOn(files, "write").mockImplementation(function (this: unknown, ...[bytes, at]: unknown[]) {
    const taken = take((bytes as Uint8Array).length - (at as number));
    if (typeof taken === "string") return Promise.reject(Object.assign(new Error(taken), { code: taken }));
    return write.call(this, bytes as Uint8Array, at as number, taken);
  } as never);
}

it("writes every line, readable by its owner alone", async () => {
  const path = join(folder(), "day.jsonl");
  const { file, ends } = await recording(path);
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} é\n`);
  for (const line of lines) file.write(line);
  await file.close();
  expect(readFileSync(path, "utf8")).toBe(lines.join(""));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(ends).toEqual([]);
});

it("makes a new file for each run, and for each of two daemons at once", async () => {
  const path = join(folder(), "day.jsonl");
  const all = await Promise.all(Array.from({ length: 4 }, () => recording(path)));
  for (const [index, { file }] of all.entries()) file.write(`${index}\n`);
  for (const { file } of all) await file.close();
  expect(readdirSync(join(path, "..")).toSorted()).toEqual([
    "day-2.jsonl",
    "day-3.jsonl",
    "day-4.jsonl",
    "day.jsonl",
  ]);
  expect(all.map(({ file }) => readFileSync(file.path, "utf8"))).toEqual(["0\n", "1\n", "2\n", "3\n"]);
});

it("follows no symbolic link, and says why no file can be made", async () => {
  const at = folder();
  writeFileSync(join(at, "mine"), "kept");
  symlinkSync(join(at, "mine"), join(at, "link"));
  symlinkSync(join(at, "nothing"), join(at, "dangling"));
  for (const [name, why] of [
    ["link", "is a symbolic link; allowed: a name for a new file"],
    ["dangling", "is a symbolic link; allowed: a name for a new file"],
    [".", "is a folder; allowed: a name for a new file"],
    ["no/such", "no such folder"],
  ] as const) {
    const opening = RecordFile.open(join(at, name), { onEnd: expect.unreachable });
    await expect(opening).rejects.toThrow(UsageError);
    await expect(opening).rejects.toThrow(why);
  }
  expect(readFileSync(join(at, "mine"), "utf8")).toBe("kept");
  expect(existsSync(join(at, "nothing"))).toBe(false);
});

it("ends once, and takes further lines without a word, on a disk that is full", async () => {
  const { file, ends } = await recording("/dev/full");
  file.write("a\n");
  await eventually(() => expect(ends).toHaveLength(1));
  for (let line = 0; line < 1_000; line++) file.write("b\n");
  await file.close();
  expect(ends).toEqual(["ENOSPC: no space left on device, write"]);
});

it("writes the rest of what a write has left over", async () => {
  const path = join(folder(), "day.jsonl");
  const { file, ends } = await recording(path);
  await writeAs((bytes) => Math.min(bytes, 7));
  for (let line = 0; line < 100; line++) file.write(`line ${line}\n`);
  await file.close();
  expect(readFileSync(path, "utf8").split("\n")).toHaveLength(101);
  expect(ends).toEqual([]);
});

it("ends with a whole line where the disk is full in the middle of one", async () => {
  const path = join(folder(), "day.jsonl");
  const { file, ends } = await recording(path);
  let writes = 0;
  await writeAs((bytes) => (++writes > 3 ? "ENOSPC" : Math.min(bytes, 5)));
  for (let line = 0; line < 100; line++) file.write(`line ${line}\n`);
  await file.close();
  expect(readFileSync(path, "utf8")).toBe("line 0\nline 1\n");
  expect(ends).toEqual(["ENOSPC"]);
});

it("ends where the disk is slower than what is recorded, and holds no more than its bound", async () => {
  const path = join(folder(), "day.jsonl");
  const { file, ends } = await recording(path, 1_000);
  for (let line = 0; line < 1_000; line++) file.write("0123456\n");
  await file.close();
  expect(ends).toEqual(["1008 bytes wait, more than 1000: the disk is too slow"]);
  expect(readFileSync(path, "utf8")).toBe("");
});
