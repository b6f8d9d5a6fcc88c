import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ModelMetadata } from "../../protocol/message.ts";
import { tensorToStrings } from "../../protocol/tensor.ts";
import { batchesOf } from "./batches.ts";
import type { BulkInput } from "./bulk-input.ts";
import { openLines } from "./line-input.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-lines-"));
afterAll(() => rmSync(folder, { recursive: true }));

const texts: ModelMetadata = {
  name: "say",
  platform: "",
  inputs: [{ name: "text", datatype: "BYTES", shape: [-1] }],
  outputs: [],
};
const numbers: ModelMetadata = { ...texts, inputs: [{ name: "x", datatype: "FP32", shape: [-1] }] };

let files = 0;
function fileOf(content: string | Uint8Array): string {
  const path = join(folder, `${files++}.txt`);
  writeFileSync(path, content);
  return path;
}

async function itemsOf(input: BulkInput, from = 0) {
  const items: [number, number | undefined, unknown][] = [];
  for await (const { index, line, request } of input.items(from)) {
    const [tensor] = request instanceof Error ? [] : request.inputs;
    items.push([index, line, tensor?.datatype === "BYTES" ? tensorToStrings(tensor)[0] : tensor?.shape]);
  }
  return items;
}

describe("a file of texts", () => {
  it("has a row for each line, empty ones too, whatever ends them", async () => {
    const input = await openLines(fileOf("one\r\n\ntwö\nlast"), "lines", texts);
    expect(input.count).toBe(4);
    expect(await itemsOf(input)).toEqual([
      [0, 1, "one"],
      [1, 2, ""],
      [2, 3, "twö"],
      [3, 4, "last"],
    ]);
    expect(await itemsOf(input, 3)).toEqual([[3, 4, "last"]]);
  });

  it("may have lines that are longer than what is read at once", async () => {
    const long = "x".repeat(700_000);
    const input = await openLines(fileOf(`${long}\n${long}y\n`), "lines", texts);
    expect((await itemsOf(input)).map(([, , text]) => String(text).length)).toEqual([700_000, 700_001]);
  });

  it("has the same digest as another of the same content, and no other", async () => {
    const digestOf = async (content: string) => (await openLines(fileOf(content), "lines", texts)).digest;
    expect(await digestOf("a\nb\n")).toBe(await digestOf("a\nb\n"));
    expect(await digestOf("a\nb\n")).not.toBe(await digestOf("a\nc\n"));
  });

  it("needs a model that takes texts, and a line", async () => {
    await expect(openLines(fileOf("a"), "lines", numbers)).rejects.toThrow(
      "allowed: BYTES[-1]; or give JSON",
    );
    await expect(openLines(fileOf(""), "lines", texts)).rejects.toThrow("it has no lines");
    await expect(openLines(join(folder, "none"), "lines", texts)).rejects.toThrow("none: no such file");
  });
});

describe("a file of JSON lines", () => {
  it("is checked as a whole before anything is sent, and names the line that is wrong", async () => {
    const path = fileOf('1\n\n2\n{"y": 3}\n');
    await expect(openLines(path, "jsonl", numbers)).rejects.toThrow(`${path}:4: no input "y"; allowed: x`);
  });

  it("has no rows in its empty lines, and counts lines with them", async () => {
    const input = await openLines(fileOf("1\n \n\n2\n"), "jsonl", numbers);
    expect(await itemsOf(input)).toEqual([
      [0, 1, [1]],
      [1, 4, [1]],
    ]);
  });

  it("is sent in batches of rows that may be joined, up to a number of them", async () => {
    const request = (rows: number) =>
      JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [rows], data: Array(rows).fill(0) }] });
    const other = JSON.stringify({ inputs: [{ name: "z", datatype: "FP32", shape: [1], data: [0] }] });
    const lines = ["1", "2", request(2), request(9), other, "3", "4"].join("\n");
    const input = await openLines(fileOf(lines), "jsonl", numbers);
    const batches: (readonly number[])[] = [];
    for await (const next of batchesOf(input.items(0), 4))
      batches.push("batch" in next ? next.batch.map(({ index }) => index) : []);
    expect(batches).toEqual([[0, 1, 2], [3], [4], [5, 6]]);
    const apart: number[] = [];
    for await (const next of batchesOf(input.items(0), 1)) if ("batch" in next) apart.push(next.batch.length);
    expect(apart).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });
});
