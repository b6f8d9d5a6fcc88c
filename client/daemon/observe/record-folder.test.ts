import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readRuns } from "../../../replay/records/read-record.ts";
import { spillway, recordOf } from "../../../test/support/recorded-queue.ts";
import { checkRecord } from "../../../replay/records/check-record.ts";
import { RecordFolder } from "./record-folder.ts";

const made: string[] = [];
afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "record-"));
  made.push(path);
  return path;
}

/** Writes the lines into the folder, as one run. */
async function recordInto(path: string, lines: readonly string[], mostBytes?: number, run = "c0ffee") {
  const ends: string[] = [];
  const removed: string[] = [];
  const record = await RecordFolder.open(path, {
    run,
    ...(mostBytes !== undefined && { mostBytes }),
    onEnd: (why) => ends.push(why),
    onRemoved: (file) => removed.push(file),
  });
  for (const line of lines) record.write(line);
  await record.close();
  return { ends, removed, files: readdirSync(path).sort() };
}

const lines = recordOf(spillway, [0, 5, 30, 60])
  .split(/(?<=\n)/)
  .filter((line) => line !== "");
const quiet = (): void => {};

it("keeps a run that replays to the same decisions", async () => {
  const path = folder();
  const { ends, files } = await recordInto(path, lines);
  expect([ends, files.length]).toEqual([[], 1]);
  expect(statSync(join(path, files[0] as string)).mode & 0o077).toBe(0);
  const [read] = readRuns(path, quiet);
  expect(read?.isPartial).toBe(false);
  expect(checkRecord((read as NonNullable<typeof read>).run, []).difference).toBeUndefined();
});

it("is read up to its last whole line where a crash cut it, wherever that was", async () => {
  const path = folder();
  const { files } = await recordInto(path, lines);
  const file = join(path, files[0] as string);
  const { size } = statSync(file);
  let most = 0;
  for (const bytes of [size - 1, size - 9, Math.floor(size * 0.9)]) {
    truncateSync(file, bytes);
    const [read] = readRuns(path, quiet);
    const { run } = read as NonNullable<typeof read>;
    most = Math.max(most, run.inputs.length);
    expect(checkRecord(run, []).difference).toBeUndefined();
  }
  expect(most).toBeGreaterThan(0);
});

/** Lines that do not pack well, about 7 KiB each. */
function bulky(count: number): string[] {
  return Array.from({ length: count }, (_, id) => {
    const pad = Array.from({ length: 400 }, (__, nth) => Math.sin(id * 400 + nth) * 1e16);
    return `${JSON.stringify({ kind: "timer", atMs: id, pad })}\n`;
  });
}

it("goes on in further files, keeps to its bytes, and says which files it removed", async () => {
  const path = folder();
  const { removed, files } = await recordInto(path, [lines[0] as string, ...bulky(60)], 65_536);
  expect(removed.length).toBeGreaterThan(3);
  expect(files.length).toBeGreaterThan(2);
  const bytes = files.reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
  // The file that is written to comes on top.
  expect(bytes).toBeLessThan(1.5 * 65_536);
  const [read, ...more] = readRuns(path, quiet);
  expect(more).toEqual([]);
  expect(read?.isPartial).toBe(true);
  const { inputs } = (read as NonNullable<typeof read>).run;
  expect(inputs.at(-1)?.atMs).toBe(59);
  expect(inputs.map(({ atMs }) => atMs)).toEqual(
    Array.from({ length: inputs.length }, (_, index) => 60 - inputs.length + index),
  );
});

it("joins the files of a run that are all there, and takes one with a gap for two", async () => {
  const path = folder();
  const { files } = await recordInto(path, [lines[0] as string, ...bulky(30)]);
  const small = folder();
  const cut = await recordInto(small, [lines[0] as string, ...bulky(30)], 65_536 * 8);
  expect([files.length, cut.files.length > 3]).toEqual([1, true]);
  expect(readRuns(small, quiet).map(({ run }) => run.inputs.length)).toEqual([30]);
  rmSync(join(small, cut.files[1] as string));
  expect(readRuns(small, quiet).map(({ isPartial }) => isPartial)).toEqual([false, true]);
});

it("leaves the files alone that another daemon may write to", async () => {
  const path = folder();
  await recordInto(path, [lines[0] as string, ...bulky(20)], 2 ** 20, "abcdef");
  const { removed } = await recordInto(path, [lines[0] as string, ...bulky(20)], 65_536);
  expect(removed.every((name) => name.includes("-c0ffee-"))).toBe(true);
});

it("leaves everything alone that is no record, and names it", async () => {
  const path = folder();
  writeFileSync(join(path, "notes.txt"), "mine");
  await recordInto(path, lines);
  const warned: string[] = [];
  readRuns(path, (message) => warned.push(message));
  expect(warned).toEqual([`${path}: 1 other files are left out, such as notes.txt`]);
  expect(readFileSync(join(path, "notes.txt"), "utf8")).toBe("mine");
});

it("says that a folder holds no record", () => {
  const path = folder();
  expect(() => readRuns(path, quiet)).toThrow(`${path}: holds no record; allowed: `);
});

it("is no record where no folder can be", async () => {
  const path = join(folder(), "file");
  writeFileSync(path, "");
  await expect(RecordFolder.open(path, { run: "c0ffee", onEnd: quiet })).rejects.toThrow(
    `--record: ${path}: `,
  );
});
