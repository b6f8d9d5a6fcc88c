import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkValues } from "../../../base/program/options.ts";
import { daemonOptions } from "../options.ts";
import { exampleOfRequest, readNamedModels } from "./named-models.ts";

it("reads names, inputs with shapes, and requests from files", () => {
  const file = join(mkdtempSync(join(tmpdir(), "spillway-models-")), "request.json");
  const data = [1, 2, 3, 4];
  writeFileSync(file, JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [2, 2], data }] }));
  const models = readNamedModels(`plain, two=a:FP32[1,3,4];b:INT64[-1], asked=@${file}`);
  expect([...models.keys()]).toEqual(["plain", "two", "asked"]);
  expect(models.get("plain")).toBeUndefined();
  expect(models.get("two")).toMatchObject({
    inputs: [
      { name: "a", datatype: "FP32", rowShape: [3, 4], wholeShape: [1, 3, 4] },
      { name: "b", datatype: "INT64", rowShape: [], wholeShape: [1] },
    ],
  });
  const given = models.get("asked");
  if (given?.kind !== "request") throw new Error("no request");
  const { request } = exampleOfRequest("asked", 1, given.request);
  // The rows of the file in turn.
  expect(new Float32Array(request(3).inputs[0]?.data.slice().buffer ?? [])).toEqual(
    Float32Array.of(1, 2, 3, 4, 1, 2),
  );
});

it.each([
  ["m=x", '"x" is no input'],
  ["m=x:FP33[1,4]", 'the datatype of "x:FP33[1,4]" is "FP33"; allowed: BOOL, '],
  ["m=x:FP32[1,0]", 'a size of "x:FP32[1,0]" is 0; allowed: an integer, 1 or more'],
  ["m=x:FP32[1,a]", 'a size of "x:FP32[1,a]" is "a"; allowed: an integer, 1 or more'],
  ["m=x:FP32[]", 'a size of "x:FP32[]" is ""; allowed: an integer, 1 or more'],
  ["m=x:FP32[1,999999999]", '"x:FP32[1,999999999]" has 999999999 elements; allowed: 268435456 or fewer'],
  ["a,,b", '"" names no model'],
])("refuses %s in one line", (models, why) => {
  const read = (): unknown => checkValues(daemonOptions, { models }, { models: "--models" });
  expect(read).toThrow(
    `--models is "${models}"; allowed: NAME, NAME=INPUT:DATATYPE[1,SIZE,...] or NAME=@FILE, with commas between; ${why}`,
  );
});

it("names the file that cannot be used", () => {
  expect(() => readNamedModels("m=@/nowhere/x.json")).toThrow("--models: /nowhere/x.json: no such file");
});
