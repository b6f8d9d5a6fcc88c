import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  crossRow,
  fp32,
  ints,
  quantised,
  rowWise,
  weights,
  writeModel,
} from "../../test/support/row-models.ts";
import { tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { openSession } from "../models/session.ts";
import type { LoadProof } from "./joining.ts";
import { type LoadProofOptions, ProofStopped, proveAtLoad } from "./prove-at-load.ts";
import { rowStructure } from "./row-structure.ts";

async function proofOf(onnx: Uint8Array, options: Partial<LoadProofOptions> = {}): Promise<LoadProof> {
  const model = { name: "m", version: "1", path: writeModel(onnx) };
  const { metadata, dimensions, run } = await openSession(model, 1);
  return proveAtLoad({
    metadata,
    dimensions,
    known: [],
    fixedRows: rowStructure(metadata).fixedRows,
    tolerance: 0.005,
    mostRows: 32,
    run: async (inputs, rows) => (await run(inputs, rows)).outputs,
    nowMs: () => 0,
    withinMs: 1,
    ...options,
  });
}

describe("a model that treats rows apart", () => {
  it.each(Object.entries(rowWise))("is proved: %s", async (_, make) => {
    const proof = await proofOf(make());
    expect(proof).toMatchObject({ state: "proved", proofs: 4, shapes: 1 });
    expect(proof.largestDifference).toBeLessThan(1e-5);
  });

  it("is proved within the rows that one run may have", async () => {
    const rows: number[] = [];
    const proof = await proofOf((rowWise["a dense layer"] as () => Buffer)(), {
      mostRows: 3,
      run: async (inputs, each) => {
        rows.push(each.reduce((sum, one) => sum + one, 0));
        return inputs.map((tensor) => ({ ...tensor, name: "y" }));
      },
    });
    expect(proof.state).toBe("proved");
    expect(Math.max(...rows)).toBe(3);
  });

  it("is proved for each of the shapes that are known to suit it", async () => {
    const onnx = (rowWise["a convolution of pictures"] as () => Buffer)();
    const proof = await proofOf(onnx, { known: [{ x: [1, 3, 8, 8] }, { x: [2, 3, 16, 24] }] });
    expect(proof).toMatchObject({ state: "proved", proofs: 8, shapes: 2 });
  });
});

it("a model that quantises dynamically, whose answers change a little in company, is proved within a tolerance", async () => {
  const { state, largestDifference } = await proofOf(quantised(), { tolerance: 0.05 });
  expect(state).toBe("proved");
  expect(largestDifference).toBeGreaterThan(1e-3);
  expect(await proofOf(quantised(), { tolerance: 1e-4 })).toMatchObject({
    state: "disproved",
    reason: expect.stringMatching(/in company than alone: .*output y differs by/),
  });
});

describe("a model that mixes rows", () => {
  it.each(Object.entries(crossRow))("is disproved: %s", async (_, make) => {
    const { state, reason } = await proofOf(make());
    expect(state, reason).toBe("disproved");
  });
});

it("a model that cuts all rows to the longest text of the batch is disproved", async () => {
  const ids = (name: string) => ({ name, datatype: "INT64", shape: ["n", "t"] }) as const;
  const nodes = [
    { op: "NonZero", inputs: ["x"], output: "places" },
    { op: "Gather", inputs: ["places", "one"], output: "columns", attributes: { axis: 0 } },
    { op: "ReduceMax", inputs: ["columns"], output: "last", attributes: { keepdims: 1 } },
    { op: "Reshape", inputs: ["last", "one"], output: "flat" },
    { op: "Add", inputs: ["flat", "one"], output: "end" },
    { op: "Slice", inputs: ["x", "zero", "end", "one"], output: "y" },
  ];
  const onnx = tinyOnnx([ids("x")], nodes, [ids("y")], { one: ints(1), zero: ints(0) });
  const { state, reason } = await proofOf(onnx);
  expect([state, reason]).toEqual(["disproved", expect.stringMatching(/alone and INT64.* together/)]);
});

it("random models are proved when all their steps treat rows apart, and disproved when the last one does not", async () => {
  const apart = ["Tanh", "Neg", "Abs", "MatMul", "Sigmoid"] as const;
  const across = ["softmax", "sum", "mean", "largest"] as const;
  const steps = fc.array(fc.constantFrom(...apart), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom("none", ...across), async (ops, last) => {
      const constants = { w: weights(4, 4), axis: { shape: [], data: BigInt64Array.of(0n) } };
      const nodes = ["Identity", ...ops].map((op, index) => ({
        op,
        inputs: [index === 0 ? "x" : `t${index - 1}`, ...(op === "MatMul" ? ["w"] : [])],
        output: `t${index}`,
      }));
      const x = `t${ops.length}`;
      const reduced = { op: "ReduceMean", inputs: [x], output: "r", attributes: { axes: [0], keepdims: 1 } };
      const ends = {
        none: [{ op: "Identity", inputs: [x], output: "y" }],
        softmax: [{ op: "Softmax", inputs: [x], output: "y", attributes: { axis: 0 } }],
        sum: [{ op: "CumSum", inputs: [x, "axis"], output: "y" }],
        mean: [reduced, { op: "Sub", inputs: [x, "r"], output: "y" }],
        largest: [
          { ...reduced, op: "ReduceMax" },
          { op: "Sub", inputs: [x, "r"], output: "y" },
        ],
      };
      const [given, got] = [fp32("x", "n", 4), fp32("y", "n", 4)];
      const { state } = await proofOf(tinyOnnx([given], [...nodes, ...ends[last]], [got], constants));
      expect(state).toBe(last === "none" ? "proved" : "disproved");
    }),
    { numRuns: 60 },
  );
});

describe("a batch fixed at several rows", () => {
  it.each([
    ["proved when a row's output stays with it", "Softmax", 1, "proved"],
    ["disproved when it depends on the other rows", "Softmax", 0, "disproved"],
  ] as const)("is %s", async (_, op, axis, state) => {
    const nodes = [{ op, inputs: ["x"], output: "y", attributes: { axis } }];
    expect(await proofOf(tinyOnnx([fp32("x", 8, 4)], nodes, [fp32("y", 8, 4)]))).toMatchObject({ state });
  });

  it("is disproved when a row's output depends on its place", async () => {
    const nodes = [{ op: "Add", inputs: ["x", "w"], output: "y" }];
    const onnx = tinyOnnx([fp32("x", 4, 2)], nodes, [fp32("y", 4, 2)], { w: weights(4, 2) });
    expect(await proofOf(onnx)).toMatchObject({ state: "disproved" });
  });
});

describe("a proof says nothing", () => {
  it("when made-up requests do not suit the model", async () => {
    const nodes = [{ op: "Gather", inputs: ["w", "x"], output: "y", attributes: { axis: 0 } }];
    const ids = { name: "x", datatype: "INT64", shape: ["n", 2] } as const;
    // An index outside of the table fails.
    const onnx = tinyOnnx([ids], nodes, [fp32("y", "n", 2, 0)], { w: weights(1, 0) });
    expect(await proofOf(onnx)).toMatchObject({
      state: "unproved",
      reason: expect.stringMatching(/^made-up requests fail: /),
    });
  });

  it("when all answers are alike, so that a mix would not show", async () => {
    const nodes = [
      { op: "Sub", inputs: ["x", "x"], output: "zero" },
      { op: "Softmax", inputs: ["zero"], output: "y", attributes: { axis: 1 } },
    ];
    expect(await proofOf(tinyOnnx([fp32("x", "n", 4)], nodes, [fp32("y", "n", 4)]))).toMatchObject({
      state: "unproved",
      reason: 'all answers to made-up requests have the same in output "y"',
    });
  });

  it("when one of several outputs is always the same, in which a mix would not show", async () => {
    const nodes = [
      { op: "Identity", inputs: ["x"], output: "y" },
      { op: "ReduceMax", inputs: ["x"], output: "most", attributes: { axes: [0, 1], keepdims: 1 } },
      { op: "Greater", inputs: ["most", "hundred"], output: "is" },
      { op: "Cast", inputs: ["is"], output: "flag", attributes: { to: 1 } },
      { op: "Sub", inputs: ["x", "x"], output: "zero" },
      { op: "Add", inputs: ["zero", "flag"], output: "z" },
    ];
    const hundred = { shape: [1], data: Float32Array.of(100) };
    const onnx = tinyOnnx([fp32("x", "n", 4)], nodes, [fp32("y", "n", 4), fp32("z", "n", 4)], { hundred });
    expect(await proofOf(onnx)).toMatchObject({
      state: "unproved",
      reason: 'all answers to made-up requests have the same in output "z"',
    });
  });

  it("when the model is so slow that it would be held back", async () => {
    let nowMs = 0;
    let runs = 0;
    const proof = await proofOf((rowWise["identity"] as () => Buffer)(), {
      withinMs: 3_000,
      nowMs: () => nowMs,
      run: async (inputs) => {
        runs++;
        nowMs += 1_500 * (inputs[0]?.shape[0] ?? 1);
        return inputs.map((tensor) => ({ ...tensor, name: "y" }));
      },
    });
    expect(proof).toMatchObject({ state: "unproved", reason: expect.stringMatching(/takes too long/) });
    expect(runs).toBeLessThanOrEqual(3);
  });

  it("when it is stopped, such as when a replica ended", async () => {
    const run = (): Promise<never> => Promise.reject(new ProofStopped("a replica ended: SIGKILL"));
    expect(await proofOf((rowWise["identity"] as () => Buffer)(), { run })).toMatchObject({
      state: "unproved",
      reason: "a replica ended: SIGKILL",
    });
  });
});
