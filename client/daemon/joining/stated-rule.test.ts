import { expect, it } from "vitest";
import { fingerprint, statedRule, strictestRule } from "./stated-rule.ts";

const bytes = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const x = (shape: unknown): object => ({ name: "x", datatype: "FP32", shape });
const dynamic = { inputs: [x([-1, 4])], outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }] };

it.each([
  [{ join_rows: true }, { joins: true, mostRows: Infinity, fixedRows: undefined }],
  [
    { join_rows: true, max_batch_rows: 16 },
    { joins: true, mostRows: 16 },
  ],
  [
    { join_rows: true, max_batch_rows: "16" },
    { joins: true, mostRows: 16 },
  ],
  [
    { join_rows: "true", fixed_rows: 8 },
    { joins: true, mostRows: 8, fixedRows: 8 },
  ],
  [
    { join_rows: true, max_batch_rows: 1 },
    { joins: false, mostRows: 1 },
  ],
  [
    { join_rows: false, fixed_rows: 4 },
    { joins: false, fixedRows: 4 },
  ],
  [{ join_rows: false, max_batch_rows: 8 }, { joins: false }],
])("obeys the parameters %j of our edge, whatever the configuration says", (parameters, rule) => {
  expect(statedRule(bytes({ ...dynamic, parameters }), bytes({ max_batch_size: 32 }))).toMatchObject(rule);
});

it.each([
  [{ max_batch_size: 8 }, true, 8],
  [{ max_batch_size: "8" }, true, 8],
  [{ max_batch_size: 1 }, false, 1],
  [{ max_batch_size: 0 }, false, 1],
  [{ max_batch_size: -1 }, undefined, Infinity],
  [{ max_batch_size: null }, undefined, Infinity],
  [{}, undefined, Infinity],
  [null, undefined, Infinity],
  ["<html>", undefined, Infinity],
])("understands %j as Triton means it", (config, joins, mostRows) => {
  expect(statedRule(bytes(dynamic), bytes(config))).toMatchObject({ joins, mostRows });
});

it.each([
  [{ ...dynamic, inputs: [x([8, 4])] }, "the first dimension of input x is fixed at 8", 8],
  [{ ...dynamic, inputs: [x(["1", "4"])] }, "the first dimension of input x is fixed at 1", 1],
  [{ ...dynamic, inputs: [x([-1, 4]), x([])] }, "input x has no first dimension", undefined],
  [
    { ...dynamic, inputs: [x([-1, 4]), x([2, -1, 4])] },
    "the first dimension of input x is fixed at 2",
    undefined,
  ],
  [{ ...dynamic, outputs: [x([3, -1])] }, "the first dimension of output x is fixed at 3", undefined],
])("finds in shapes why rows cannot be joined: %#", (metadata, why, fixedRows) => {
  expect(statedRule(bytes(metadata))).toMatchObject({ joins: false, why, fixedRows });
});

it.each([
  [dynamic],
  [{}],
  [{ inputs: [] }],
  [{ inputs: "x" }],
  [{ inputs: [null, 1, { shape: "?" }, { shape: null }] }],
  [{ ...dynamic, parameters: ["join_rows"] }],
  [{ ...dynamic, parameters: { join_rows: null, max_batch_rows: null } }],
  [[]],
  [null],
  ["<html>"],
])("leaves to a proof what %j does not say", (metadata) => {
  expect(statedRule(bytes(metadata)).joins).toBeUndefined();
  expect(statedRule(undefined).joins).toBeUndefined();
});

it("takes the strictest of several edges: one that refuses, then one that does not say, then the least bound", () => {
  const yes = (rows?: number) => statedRule(bytes({ parameters: { join_rows: true, max_batch_rows: rows } }));
  const unsure = statedRule(bytes(dynamic));
  const no = statedRule(bytes({ parameters: { join_rows: false } }));
  expect(strictestRule([yes(), yes(8), yes(16)])).toMatchObject({ joins: true, mostRows: 8 });
  expect(strictestRule([yes(8), unsure])).toMatchObject({ joins: undefined, mostRows: 8 });
  expect(strictestRule([yes(8), unsure, no])).toMatchObject({ joins: false });
});

it("tells models apart by versions and shapes, not by figures that come and go", () => {
  const print = (more: object): string => fingerprint(bytes({ name: "m", ...dynamic, ...more }));
  expect(print({ parameters: { load: 1 } })).toBe(print({ parameters: { load: 2 } }));
  expect(print({ versions: ["2"] })).not.toBe(print({ versions: ["1"] }));
  expect(print({ inputs: [x([-1, 5])] })).not.toBe(print({}));
});
