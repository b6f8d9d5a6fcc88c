// @module-tag slow
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { InferRequest } from "../../protocol/message.ts";
import { tensorDifference } from "../../protocol/tensor-difference.ts";
import { type Tensor, tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { seededRandom } from "../../base/random.ts";
import { eventually } from "../../test/support/built.ts";
import {
  crossRow,
  fp32,
  quantised,
  rowWise,
  writeHandler,
  writeModel,
} from "../../test/support/row-models.ts";
import { startPool } from "../../test/support/scripted-pool.ts";
import { tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { readModelConfig } from "../models/model-config.ts";
import type { RequestResult } from "../models/model-runner.ts";
import { openSession } from "../models/session.ts";
import type { ReplicaPool } from "./replica-pool.ts";
import type { ReplicaPoolOptions } from "./replica-pool-options.ts";

const pools: ReplicaPool[] = [];

async function poolOf(
  path: string,
  config: object = {},
  options: Partial<ReplicaPoolOptions> = {},
): Promise<ReplicaPool> {
  const model = { name: "m", version: "1", path, config: readModelConfig(config, "config.yaml") };
  const pool = await startPool({ model, ...options });
  pools.push(pool);
  return pool;
}

const random = seededRandom(11);

function requestOf(name: string, ...shape: number[]): InferRequest {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, () => random() - 0.5);
  return { parameters: {}, inputs: [tensorFromNumbers(name, "FP32", shape, values)] };
}

/** The requests at once, and for each how much its answer differs from that of a bare session. */
async function differences(pool: ReplicaPool, requests: readonly InferRequest[]): Promise<number[]> {
  const results = await Promise.all(requests.map((request) => pool.run(request)));
  const session = await openSession(pool.model, 1);
  const found: number[] = [];
  for (const [index, { inputs }] of requests.entries()) {
    const { outputs } = await session.run(inputs, [1]);
    found.push(tensorDifference(outputs, (results[index] as RequestResult).outputs).difference);
  }
  return found;
}

afterAll(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

describe("a model that treats rows apart", () => {
  it("is proved before it is ready, and its requests share runs and get their own answers", async () => {
    let batches = 0;
    const pool = await poolOf(
      writeModel((rowWise["a dense layer"] as () => Buffer)()),
      {},
      { onBatch: () => batches++ },
    );
    expect(pool.joining).toEqual({ join_rows: true, join_by_shape: true });
    expect(pool.status().joining).toMatchObject({ state: "proved", proofs: 4, proofMs: 0 });
    const requests = Array.from({ length: 24 }, (_, index) => requestOf("x", 1 + (index % 3), 4));
    expect(Math.max(...(await differences(pool, requests)))).toBeLessThan(1e-5);
    expect(batches).toBeLessThan(8);
    expect(pool.status().joining?.proofs).toBeGreaterThan(4);
  });

  it("joins no more rows than its settings say, and publishes them", async () => {
    const rows: number[] = [];
    const onBatch = ({ rows: ran }: { rows: number }): void => void rows.push(ran);
    const path = writeModel((rowWise["identity"] as () => Buffer)());
    const pool = await poolOf(path, { maxBatchRows: 4 }, { onBatch, maxBatchRows: 4 });
    expect(pool.joining).toEqual({ join_rows: true, join_by_shape: true, max_batch_rows: 4 });
    await differences(
      pool,
      Array.from({ length: 9 }, () => requestOf("x", 1, 4)),
    );
    expect(Math.max(...rows)).toBe(4);
  });

  it("has requests of a new shape compared before they share runs", async () => {
    const pool = await poolOf(writeModel((rowWise["a convolution of pictures"] as () => Buffer)()));
    const before = pool.status().joining?.proofs ?? 0;
    for (let turn = 0; turn < 3; turn++) {
      const requests = Array.from({ length: 6 }, () => requestOf("x", 1, 3, 12, 20));
      expect(Math.max(...(await differences(pool, requests)))).toBeLessThan(1e-5);
    }
    await eventually(() => expect(pool.status().joining?.proofs).toBeGreaterThan(before));
    expect(pool.status().joining?.state).toBe("proved");
  });

  it("may change answers a little by its quantisation, which is reported", async () => {
    const pool = await poolOf(writeModel(quantised()));
    expect(pool.status().joining).toMatchObject({ state: "proved", tolerance: 0.05 });
    expect(pool.status().joining?.largestDifference).toBeGreaterThan(1e-3);
    const strict = await poolOf(writeModel(quantised()), { joinTolerance: 1e-4 });
    expect(strict.joining).toEqual({ join_rows: false });
  });

  it("is not asked for a proof when its settings say that it joins, or does not", async () => {
    const path = writeModel((rowWise["identity"] as () => Buffer)());
    for (const [joinRows, state] of [
      [true, "declared"],
      [false, "off"],
    ] as const) {
      const pool = await poolOf(path, { joinRows });
      expect(pool.status().joining).toMatchObject({ state, proofs: 0, loadProofMs: 0 });
      expect(pool.joining).toEqual({ join_rows: joinRows });
    }
  });
});

describe("a model that mixes rows", () => {
  const mixing = Object.entries(crossRow).filter(([name]) => name !== "chance");

  it.each(mixing)("never answers one caller with another's rows: %s", async (name, make) => {
    const pool = await poolOf(writeModel(make()));
    expect(pool.joining).toEqual({ join_rows: false });
    const { shape = [] } = pool.metadata?.inputs[0] ?? {};
    const rest = shape.slice(1).map((size) => (size === -1 ? 3 : size));
    // All of three rows, so that counts agree by chance.
    const requests = Array.from({ length: 8 }, () =>
      requestOf("x", name.includes("one row") ? 1 : 3, ...rest),
    );
    expect(await differences(pool, requests)).toEqual(Array(8).fill(0));
  });

  it("runs singly from the first mismatch on, although its settings say that it joins", async () => {
    const onnx = (crossRow["the largest over all rows"] as () => Buffer)();
    const pool = await poolOf(writeModel(onnx), { joinRows: true });
    const requests = Array.from({ length: 5 }, () => requestOf("x", 2, 4));
    expect(await differences(pool, requests)).toEqual([0, 0, 0, 0, 0]);
    expect(pool.joining).toEqual({ join_rows: false });
    expect(pool.status().events.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^requests run singly from now on: output "y" has shape \[1,4\]/),
    );
  });
});

describe("a batch that is fixed", () => {
  const softmax = (rows: number, axis: number): string =>
    writeModel(
      tinyOnnx(
        [fp32("x", rows, 4)],
        [{ op: "Softmax", inputs: ["x"], output: "y", attributes: { axis } }],
        [fp32("y", rows, 4)],
      ),
    );

  it("at one row runs the rows of a request one by one", async () => {
    const pool = await poolOf(softmax(1, 1));
    expect(pool.joining).toEqual({ join_rows: false, max_batch_rows: 1, fixed_rows: 1 });
    expect(pool.metadata?.inputs[0]?.shape).toEqual([1, 4]);
    const requests = [1, 2, 5, 1].map((rows) => requestOf("x", rows, 4));
    expect(Math.max(...(await differences(pool, requests)))).toBe(0);
  });

  it("at eight is cut and padded once its rows are proved to be separate, and callers share it", async () => {
    const rows: number[] = [];
    const onBatch = ({ rows: ran }: { rows: number }): void => void rows.push(ran);
    const pool = await poolOf(softmax(8, 1), {}, { onBatch });
    expect(pool.joining).toEqual({ join_rows: true, join_by_shape: true, max_batch_rows: 8, fixed_rows: 8 });
    const requests = [3, 8, 11, 1, 2, 2, 3, 1, 2].map((each) => requestOf("x", each, 4));
    expect(Math.max(...(await differences(pool, requests)))).toBe(0);
    expect(rows.length).toBeLessThan(requests.length);
  });

  it("at eight refuses other rows when they depend on each other, and says what is allowed", async () => {
    const pool = await poolOf(softmax(8, 0));
    expect(pool.joining).toEqual({ join_rows: false, max_batch_rows: 8, fixed_rows: 8 });
    await expect(pool.run(requestOf("x", 3, 4))).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(
        /has 3 rows; the batch of model m is fixed at 8, .*"joinRows: true" in its settings; allowed: 8 rows/,
      ),
    });
    expect(await differences(pool, [requestOf("x", 8, 4), requestOf("x", 8, 4)])).toEqual([0, 0]);
  });

  it("at eight is cut without a proof when the settings say that it joins, and never when they say no", async () => {
    const declared = await poolOf(softmax(8, 1), { joinRows: true });
    expect(await differences(declared, [requestOf("x", 3, 4)])).toEqual([0]);
    const off = await poolOf(softmax(1, 1), { joinRows: false });
    await expect(off.run(requestOf("x", 2, 4))).rejects.toThrow(/"joinRows: false"; allowed: 1 rows/);
  });
});

it("inputs without rows in common run alone, whatever their first dimensions", async () => {
  const nodes = [
    { op: "Add", inputs: ["h", "x"], output: "hn" },
    { op: "Mul", inputs: ["x", "s"], output: "y" },
  ];
  const inputs = [fp32("x", "b", 4), fp32("h", 2, "b", 4), fp32("s")];
  const outputs = [fp32("y", "b", 4), fp32("hn", 2, "b", 4)];
  const pool = await poolOf(writeModel(tinyOnnx(inputs, nodes, outputs)));
  expect(pool.joining).toEqual({ join_rows: false });
  expect(pool.status().joining).toMatchObject({
    state: "obstacle",
    reason: 'the first dimension of input "h" is fixed at 2',
  });
  const request = (rows: number): InferRequest => ({
    parameters: {},
    inputs: [requestOf("x", rows, 4), requestOf("h", 2, rows, 4), requestOf("s")].flatMap(
      (each) => each.inputs,
    ),
  });
  expect(Math.max(...(await differences(pool, [request(1), request(1), request(3)])))).toBe(0);
});

const field = fileURLToPath(new URL("../../../shared/field/models", import.meta.url));

describe.skipIf(!existsSync(field))("the small models that show what users reported", () => {
  it.each([
    ["attn_tokens", "x", [3, 4], false],
    ["crnn_tnc", "x", [1, 1, 8, 8], false],
    ["good", "x", [1, 4], true],
    ["twoout", "x", [2, 2], true],
  ])("%s", async (name, input, shape, joins) => {
    const pool = await poolOf(`${field}/${name}/1/model.onnx`);
    expect(pool.joining?.join_rows).toBe(joins);
    const requests = Array.from({ length: 8 }, () => requestOf(input, ...shape));
    expect(Math.max(...(await differences(pool, requests)))).toBeLessThan(1e-6);
  });
});

it("a replica that dies of made-up requests costs the proof, not the model", async () => {
  const path = writeHandler(`
    export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }], outputs = inputs;
    export const predict = ([x]) => (x.shape[0] > 1 ? process.kill(process.pid, "SIGKILL") : [x]);
  `);
  const pool = await poolOf(path);
  expect(pool.status().joining).toMatchObject({
    state: "unproved",
    reason: expect.stringMatching(/a replica ended: SIGKILL/),
  });
  const results = await Promise.all([1, 2].map(() => pool.run(requestOf("x", 1, 4))));
  expect(results.map(({ outputs }) => outputs[0]?.shape)).toEqual([
    [1, 4],
    [1, 4],
  ]);
});

it("a model that takes very long is ready before its proof has ended, and answers then", async () => {
  const path = writeHandler(`
    import { setTimeout as delay } from "node:timers/promises";
    export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }], outputs = inputs;
    let runs = 0;
    export const predict = async ([x]) => {
      if (runs++ === 0) await delay(5_000);
      return [x];
    };
  `);
  const pool = await poolOf(path);
  expect(pool.status().joining).toMatchObject({
    state: "unproved",
    reason: expect.stringMatching(/too long/),
  });
  expect((await pool.run(requestOf("x", 2, 4))).outputs[0]?.shape).toEqual([2, 4]);
});

it("a model whose made-up requests fail is proved by requests that come, which never wait for it in company", async () => {
  const path = writeHandler(`
    export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }], outputs = inputs;
    export const predict = ([x]) => {
      if (new Float32Array(x.data.slice().buffer).some((value) => Math.abs(value) > 0.5)) throw new Error("not mine");
      return [x];
    };
  `);
  const pool = await poolOf(path, { warmUp: [{ x: [1, 4] }] });
  expect(pool.status().joining).toMatchObject({
    state: "unproved",
    reason: expect.stringMatching(/made-up requests fail/),
  });
  for (let turn = 0; turn < 4; turn++)
    await Promise.all([1, 2, 3].map((rows) => pool.run(requestOf("x", rows, 4))));
  await eventually(() => expect(pool.joining).toEqual({ join_rows: true, join_by_shape: true }));
  expect(pool.status().events.map(({ text }) => text)).toContain(
    "requests share runs from now on: 2 comparisons of requests alone and in company agreed",
  );
});

it("a model that mixes real rows only is found out before any caller gets another's", async () => {
  // Numbers above 7 change their neighbours, which made-up numbers do not show.
  const path = writeHandler(`
    export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 4] }], outputs = inputs;
    export const predict = ([x]) => {
      const values = new Float32Array(x.data.slice().buffer);
      const most = Math.max(...values);
      return [{ ...x, data: new Uint8Array(values.map((value) => (most > 7 ? value - most : value)).buffer) }];
    };
  `);
  const pool = await poolOf(path);
  expect(pool.joining).toEqual({ join_rows: true, join_by_shape: true });
  const request = (value: number): InferRequest => ({
    parameters: {},
    inputs: [tensorFromNumbers("x", "FP32", [1, 4], [value, value / 2, value / 3, 0])],
  });
  const results = await Promise.all([8, 9, 10, 11, 12, 13].map((value) => pool.run(request(value))));
  expect(results.map(({ outputs }) => tensorToNumbers(outputs[0] as Tensor)[0])).toEqual([0, 0, 0, 0, 0, 0]);
  await eventually(() => expect(pool.joining).toEqual({ join_rows: false }));
  expect(pool.status().joining).toMatchObject({
    state: "disproved",
    reason: expect.stringMatching(/^a request gets another answer in company than alone: .*output x/),
  });
});
