/** What a target makes of batches that its server refuses, fails or mixes up; the server is a function here. */
import { expect, it } from "vitest";
import { call, send } from "../../test/support/wired-targets.ts";
import { SpillwayError } from "../../base/errors.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { bodyPieces } from "../../protocol/message.ts";
import { type Tensor, tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { modelTarget, type ModelTargetOptions } from "./model-target.ts";
import type { ModelCall } from "./model-call.ts";

type Reply = { readonly status: number; readonly error?: string } | readonly Tensor[];

const refused = (status: number): Reply => ({ status, error: "no" });

/** @param server what it replies to a call with those values, one for each request */
function targetOf(
  server: (values: readonly number[], timeoutMs: number) => Reply,
  options: Partial<ModelTargetOptions> = {},
) {
  const told: unknown[] = [];
  const target = modelTarget({
    name: "t",
    kind: "serverless",
    maxInFlight: 8,
    assumedLatencyMs: 10,
    callTimeoutMs: 1_000,
    onTooManyRows: (model, mostRows) => told.push([model, mostRows]),
    onMixedRows: (model, why) => told.push([model, why]),
    ...options,
    transport: {
      close: async () => {},
      call: async (model, wire, timeoutMs) => {
        const { inputs } = decodeInferRequest(bodyPieces(wire), wire.headerBytes);
        // Both numbers of a row are the same; see `call`.
        const numbers = Array.from(tensorToNumbers(inputs[0] as Tensor));
        const reply = server(
          numbers.length < 2 ? numbers : numbers.filter((_, index) => index % 2 === 0),
          timeoutMs,
        );
        const facts = { durationMs: 1, coldStartMs: 0, mayHaveStarted: false, cost: 1 };
        if ("status" in reply)
          return { ...facts, status: reply.status, wire: { body: Buffer.from(JSON.stringify(reply)) } };
        const response = { modelName: model, parameters: {}, outputs: [...reply] };
        return { ...facts, status: 200, wire: encodeInferResponse(response, () => true) };
      },
    },
  });
  return { target, told };
}

const rows = (values: readonly number[], count = values.length): Tensor[] => [
  tensorFromNumbers("y", "FP32", [count, 1], values.slice(0, count)),
];

const calls = (count: number): ModelCall[] =>
  Array.from({ length: count }, (_, index) => call(String(index), index + 1));

it.each([
  ["[T, 1, C]", [8, 1, 2], 16],
  ["a scalar", [], 1],
  ["no rows", [0, 4], 0],
])("gives a lone request its answer as it is: %s", async (_, shape, count) => {
  const output = tensorFromNumbers("y", "FP32", shape, new Float32Array(count));
  const { target } = targetOf(() => [output]);
  const result = await send(target, call("a", 1));
  expect(result).toMatchObject({ ok: true, answers: [{ id: "a", outputs: [{ name: "y", shape }] }] });
});

it.each([
  ["no rows", [0, 4], 0],
  ["a scalar", [], 1],
])("sends a lone request whose inputs have %s", async (_, shape, count) => {
  const { target } = targetOf((values) => rows(values));
  const inputs = [tensorFromNumbers("x", "FP32", shape, new Float32Array(count))];
  const result = await send(target, { model: "m", request: { id: "a", parameters: {}, inputs }, rows: 1 });
  expect(result).toMatchObject({ ok: true, answers: [{ id: "a", outputs: [{ shape: [count, 1] }] }] });
});

it("takes a 404 in other words than V2's for an unknown model where an edge answers other models alone", async () => {
  const server = (values: readonly number[]): Reply => (values.includes(9) ? { status: 404 } : rows(values));
  const codesOf = async (kind: "edge" | "serverless"): Promise<unknown[]> => {
    const { target } = targetOf(server, { kind });
    const sent = [
      { ...call("a", 9), model: "x" },
      call("b", 1),
      { ...call("c", 9), model: "x" },
      call("d", 9),
    ];
    const codes: unknown[] = [];
    for (const each of sent) {
      const result = await send(target, each);
      codes.push(result.ok || result.error.code);
    }
    return codes;
  };
  expect(await codesOf("edge")).toEqual(["target_denied", true, "model_not_found", "target_denied"]);
  expect(await codesOf("serverless")).toEqual(["target_denied", true, "target_denied", "target_denied"]);
});

it("tells how many rows a model takes once a batch was refused and all its requests were answered in parts", async () => {
  const { target, told } = targetOf((values) => (values.length > 3 ? refused(400) : rows(values)));
  expect(await send(target, ...calls(8))).toMatchObject({ ok: true, answers: { length: 8 } });
  expect(told).toEqual([["echo", 2]]);
  await send(target, ...calls(5));
  expect(told).toEqual([
    ["echo", 2],
    ["echo", 3],
  ]);
});

it("learns no limit from a poison request, nor from a server that failed once", async () => {
  let hiccups = 1;
  const { target, told } = targetOf((values) => {
    if (values.includes(6)) return refused(400);
    return values.length === 8 && hiccups-- > 0 ? refused(500) : rows(values);
  });
  await send(target, ...calls(8));
  hiccups = 1;
  const innocent = calls(8).with(5, call("5", 5));
  await send(target, ...innocent);
  await send(target, ...innocent);
  hiccups = 1;
  await send(target, ...innocent);
  expect(told).toEqual([]);
});

it("learns a limit from a server that fails with every such batch", async () => {
  const { target, told } = targetOf((values) => (values.length > 4 ? refused(500) : rows(values)));
  await send(target, ...calls(8));
  expect(told).toEqual([]);
  await send(target, ...calls(8));
  expect(told).toEqual([["echo", 4]]);
});

it("tells why answers cannot be cut, and sends those requests singly", async () => {
  const { target, told } = targetOf((values) => rows(values, values.length > 1 ? 1 : values.length));
  const result = await send(target, ...calls(3));
  expect(result).toMatchObject({ ok: true, answers: [{ id: "0" }, { id: "1" }, { id: "2" }], cost: 4 });
  expect(told).toEqual([["echo", expect.stringContaining("the batch has 3 rows")]]);
});

it.each([false, Promise.resolve(false)])(
  "sends requests singly that may not be joined there",
  async (may) => {
    const sizes: number[] = [];
    const server = (values: readonly number[]): Reply => {
      sizes.push(values.length);
      return rows(values);
    };
    const { target, told } = targetOf(server, { mayJoin: () => may });
    expect(await send(target, ...calls(3))).toMatchObject({ ok: true, answers: { length: 3 }, cost: 3 });
    expect([sizes, told]).toEqual([[1, 1, 1], []]);
  },
);

it("takes a timeout of a part for no fault of the target, which has just answered", async () => {
  let nowMs = 0;
  const server = (values: readonly number[]): Reply => {
    nowMs += 600;
    return values.length > 1 ? refused(500) : rows(values);
  };
  const { target } = targetOf(server, { nowMs: () => nowMs });
  const result = await send(target, ...calls(4));
  expect(result).toMatchObject({
    ok: false,
    error: { code: "target_timeout", isOfTarget: false, retryable: true },
  });
});

it("tells of a request that cannot be written that it is at fault, and answers the others", async () => {
  const { target } = targetOf((values) => rows(values));
  const broken = call("b", 2);
  (broken.request.inputs[0] as { data: Uint8Array }).data = new Uint8Array(3);
  const result = await send(target, call("a", 1), broken);
  if (!result.ok) throw result.error;
  expect(result.answers.map(({ id }) => id)).toEqual(["a"]);
  expect(result.unanswered?.get(1)).toBeInstanceOf(SpillwayError);
  expect(result.unanswered?.get(1)).toMatchObject({ code: "request_rejected" });
});

it.each<[string, readonly Tensor[], Partial<ModelCall["request"]>, boolean]>([
  ["an output that was asked for", rows([1]), { outputs: [{ name: "y" }, { name: "z" }] }, false],
  ["any output", [], {}, false],
  ["a row for each of its rows", rows([1, 2]), {}, true],
])("blames a target whose 200 lacks %s, also for a request alone", async (_, reply, asked, hasRows) => {
  const { target } = targetOf(() => reply);
  const { request, ...rest } = call("a", 1);
  const result = await send(target, { ...rest, request: { ...request, ...asked }, hasRows });
  expect(result).toMatchObject({ ok: false, error: { code: "target_fault" }, cost: 1 });
});

it("tells that rows are mixed when a part of a request is answered with other rows", async () => {
  const { target, told } = targetOf(() => rows([1, 2, 3]));
  const { request, ...rest } = call("a", 4);
  const four = { ...request, inputs: [tensorFromNumbers("x", "FP32", [4, 2], [4, 4, 5, 5, 6, 6, 7, 7])] };
  const payload: ModelCall = { ...rest, request: four, rows: 4, unitRows: 1 };
  const result = await new Promise((done) => {
    target.send({ key: "", parts: [{ payload, fromRow: 0, toRow: 2 }], rows: 2 } as never, done);
  });
  expect(result).toMatchObject({ ok: false, error: { code: "target_fault" } });
  expect(told).toEqual([["echo", expect.stringContaining("the request has 2 rows")]]);
});
