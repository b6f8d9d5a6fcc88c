// @module-tag slow
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { faultLine } from "../../protocol/result-line.ts";
import { identityOf } from "../fleet/processes.ts";
import { ResultFile } from "./result-file.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-results-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = (): string => join(folder, `${files++}.jsonl`);

const facts = { model: "m", kind: "jsonl", digest: "d", count: 6 };
const lineOf = (item: number, rows = 1): Uint8Array =>
  faultLine({ row: 0, rows, line: item + 1 }, { error: `of item ${item}`, status: 400 });
const linesIn = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { row: number; rows: number; line: number });
const itemsIn = (path: string): number[] => linesIn(path).map(({ line }) => line - 1);

describe("the file of results", () => {
  it("has the lines in the order of their items, whatever the order in which they came", () => {
    const path = freshPath();
    const results = ResultFile.open(path, facts);
    for (const item of [2, 0, 5, 1]) results.add(item, lineOf(item));
    expect(itemsIn(path)).toEqual([0, 1, 2]);
    expect([results.next, results.done, results.has(5), results.has(3)]).toEqual([3, 4, true, false]);
    results.close();
  });

  it("counts rows over lines of several", () => {
    const path = freshPath();
    const results = ResultFile.open(path, facts);
    for (const item of [1, 0, 2]) results.add(item, lineOf(item, 10));
    expect(linesIn(path).map(({ row, rows }) => [row, rows])).toEqual([
      [0, 10],
      [10, 10],
      [20, 10],
    ]);
    results.close();
  });

  it("keeps every line that was added, wherever the run is killed", () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 });
    const torn = fc.constantFrom("", '{"row":9', '{"row":99,"rows":1,"error":"x"');
    fc.assert(
      fc.property(order, fc.array(fc.nat(6), { maxLength: 3 }), torn, (items, kills, tail) => {
        const path = freshPath();
        let left = items;
        for (const kill of [...kills, 6]) {
          // The one before was never closed, as when its process was killed.
          const results = ResultFile.open(path, facts);
          for (const item of items) expect(results.has(item)).toBe(!left.includes(item));
          const now = left.slice(0, kill);
          left = left.slice(kill);
          for (const item of now) results.add(item, lineOf(item));
          appendFileSync(path, tail);
          appendFileSync(`${path}.journal`, tail === "" ? "" : "4 {");
        }
        ResultFile.open(path, facts).close();
        expect(itemsIn(path)).toEqual([0, 1, 2, 3, 4, 5]);
      }),
      { numRuns: 15 },
    );
  });

  it("takes nothing twice", () => {
    const results = ResultFile.open(freshPath(), facts);
    results.add(0, lineOf(0));
    expect(() => results.add(0, lineOf(0))).toThrow("item 0 has a line already");
    results.close();
  });
});

describe("a file that is there", () => {
  it("is left as it is without a journal", () => {
    const path = freshPath();
    writeFileSync(path, "precious\n");
    expect(() => ResultFile.open(path, facts)).toThrow(`${path} exists, and no ${path}.journal says`);
    expect(readFileSync(path, "utf8")).toBe("precious\n");
    expect(existsSync(`${path}.journal`)).toBe(false);
  });

  it("is left as it is when it is of another model or input", () => {
    const path = freshPath();
    const results = ResultFile.open(path, facts);
    results.add(0, lineOf(0));
    results.close();
    const before = [readFileSync(path, "utf8"), readFileSync(`${path}.journal`, "utf8")];
    expect(() => ResultFile.open(path, { ...facts, model: "n" })).toThrow('are of model "m"');
    expect(() => ResultFile.open(path, { ...facts, digest: "e" })).toThrow(
      "another input, or it has changed",
    );
    expect([readFileSync(path, "utf8"), readFileSync(`${path}.journal`, "utf8")]).toEqual(before);
  });

  it("is left as it is when a line in it is not ours", () => {
    const path = freshPath();
    const results = ResultFile.open(path, facts);
    results.add(0, lineOf(0));
    results.close();
    appendFileSync(path, "precious\n");
    expect(() => ResultFile.open(path, facts)).toThrow(`${path}:2 is no line of results`);
    expect(readFileSync(path, "utf8")).toMatch(/precious\n$/);
  });

  it("is left to the process that writes it, as long as that runs", () => {
    const path = freshPath();
    ResultFile.open(path, facts).close();
    const head = { format: "spillway-infer/1", ...facts, process: identityOf(process.ppid) };
    writeFileSync(`${path}.journal`, `${JSON.stringify(head)}\n`);
    expect(() => ResultFile.open(path, facts)).toThrow(`is being written by process ${process.ppid}`);
  });

  it("is no folder and no journal of something else", () => {
    expect(() => ResultFile.open(folder, facts)).toThrow("is no file");
    const path = freshPath();
    writeFileSync(`${path}.journal`, "notes\n");
    expect(() => ResultFile.open(path, facts)).toThrow("it is no journal of infer");
  });
});
