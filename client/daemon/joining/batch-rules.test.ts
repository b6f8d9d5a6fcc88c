/** What is known of models, by edges whose answers are made up, and by proofs with arithmetic in place of models. */
import { expect, it } from "vitest";
import { SpillwayError } from "../../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../protocol/tensor.ts";
import type { HttpReply } from "../../transports/http-transport.ts";
import { BatchRules } from "./batch-rules.ts";
import type { ProofEnd } from "./join-proofs.ts";

type Rows = readonly (readonly number[])[];
/** A model as a function of its rows; an output has as many rows as it returns. */
type Arithmetic = (rows: Rows) => Rows;

const twice: Arithmetic = (rows) => rows.map((row) => row.map((value) => 2 * value));
const meanOfAll: Arithmetic = (rows) =>
  rows.map((row) =>
    row.map((_, axis) => rows.reduce((sum, each) => sum + (each[axis] ?? 0), 0) / rows.length),
  );
const constant: Arithmetic = (rows) => rows.map(() => [7]);

const dynamic = { inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }] };

function requestOf(...rows: readonly (readonly number[])[]): InferRequest {
  return {
    parameters: {},
    inputs: [tensorFromNumbers("x", "FP32", [rows.length, rows[0]?.length ?? 0], rows.flat())],
  };
}

function answerOf(model: Arithmetic, request: InferRequest): InferResponse {
  const [x] = request.inputs;
  const [count = 0, width = 0] = x?.shape ?? [];
  const values = Array.from(tensorToNumbers(x as never));
  const rows = Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width));
  const outputs = model(rows);
  const y = tensorFromNumbers("y", "FP32", [outputs.length, outputs[0]?.length ?? 0], outputs.flat());
  // Every model has a flag beside its answer if it has three columns.
  const flag = tensorFromNumbers(
    "flag",
    "INT32",
    [outputs.length],
    outputs.map(() => 1),
  );
  return { modelName: "m", parameters: {}, outputs: width === 3 ? [y, flag] : [y] };
}

/** Rules over edges with these metadata and a model; what they are told can be changed. Null: there is no such model. */
function rulesOver(model: Arithmetic, ...metadata: unknown[]) {
  const edges = metadata.map((json) => ({ metadata: json, config: undefined as unknown }));
  const now = { ms: 0 };
  const proofs: ProofEnd[] = [];
  const warnings: object[] = [];
  const calls: { edge: number; rows: number }[] = [];
  const byFunction = { metadata: undefined as unknown };
  const failing: { error: Error | undefined } = { error: undefined };
  const reply = (json: unknown): HttpReply | undefined =>
    json === undefined
      ? undefined
      : { status: json === null ? 404 : 200, body: new TextEncoder().encode(JSON.stringify(json)) };
  const rules = new BatchRules({
    models: {
      eachOf: (_, below) =>
        Promise.resolve(edges.map((edge) => reply(below === "/config" ? edge.config : edge.metadata))),
      describe: () => {
        const known = reply(byFunction.metadata);
        return known === undefined
          ? Promise.reject(new SpillwayError("target_unreachable"))
          : Promise.resolve(known);
      },
    },
    declared: new Map([
      ["joined", true],
      ["apart", false],
    ]),
    nowMs: () => now.ms,
    log: { info: () => {}, warn: (facts) => warnings.push(facts) },
    onProof: (proof) => proofs.push(proof),
    call: (edge, _, request) => {
      calls.push({ edge, rows: request.inputs[0]?.shape[0] ?? 0 });
      if (failing.error !== undefined) return Promise.reject(failing.error);
      return Promise.resolve(answerOf(model, request));
    },
  });
  /** Requests that are answered alone, one after the other, and the proofs that they make. */
  const answer = async (...requests: InferRequest[]): Promise<void> => {
    for (const request of requests) {
      rules.answeredAlone("m", request, answerOf(model, request));
      await new Promise(setImmediate);
    }
  };
  const joins = (request: InferRequest): boolean => rules.ruleFor("m", request).joins;
  return { rules, edges, now, proofs, warnings, calls, failing, byFunction, answer, joins };
}

const [a, b] = [requestOf([1, 2]), requestOf([3, 5], [4, 4])];

it("sends a request alone until an edge or a proof says that its rows may be joined", async () => {
  const { rules, joins } = rulesOver(twice, {
    ...dynamic,
    parameters: { join_rows: true, max_batch_rows: 6 },
  });
  expect(joins(a)).toBe(false);
  await rules.learn("m");
  expect(rules.ruleFor("m", b)).toEqual({ joins: true, mostRows: 6, rows: 2, hasRows: true, unitRows: 1 });
});

it("sends requests of a shape alone until their answers say that it is joined, and again once they say no", async () => {
  const parameters = { join_rows: true, join_by_shape: true };
  const { rules, joins, edges } = rulesOver(twice, { ...dynamic, parameters });
  const answered = (request: InferRequest, isJoined: boolean): void => {
    const answer = answerOf(twice, request);
    rules.answered("m", request, { ...answer, parameters: { spillway_joins: isJoined } });
  };
  await rules.learn("m");
  answered(a, false);
  expect(joins(a)).toBe(false);
  answered(a, true);
  const wider = requestOf([1, 2, 3]);
  expect([joins(a), joins(b), joins(wider)]).toEqual([true, true, false]);
  edges[0] = { metadata: { ...dynamic, parameters: { join_rows: false } }, config: undefined };
  answered(b, false);
  expect(joins(a)).toBe(false);
  await rules.learn("m");
  expect(rules.of("m")).toMatchObject({ joins: false, isKnown: true });
});

it("asks the edges again after a few seconds, without a request waiting for it, and follows them", async () => {
  const { rules, edges, now, joins } = rulesOver(twice, { ...dynamic, parameters: { join_rows: true } });
  await rules.learn("m");
  edges[0] = { metadata: { ...dynamic, parameters: { join_rows: false } }, config: undefined };
  now.ms = 4_000;
  expect(joins(a)).toBe(true);
  now.ms = 5_000;
  expect(joins(a)).toBe(true);
  await rules.learn("m");
  expect(joins(a)).toBe(false);
  edges[0] = { metadata: undefined, config: undefined };
  await rules.learn("m");
  expect(rules.of("m")).toMatchObject({ joins: false, why: "the server says join_rows: false" });
});

it("keeps to what an edge said while it is away, until it has the model no longer", async () => {
  const said = (flag: boolean): object => ({ parameters: { join_rows: flag } });
  const { rules, edges, joins } = rulesOver(twice, said(true), said(false));
  const joinsWith = async (metadata: unknown): Promise<boolean> => {
    Object.assign(edges[1] as object, { metadata });
    await rules.learn("m");
    return joins(a);
  };
  expect(await joinsWith(said(false))).toBe(false);
  expect(await joinsWith(undefined)).toBe(false);
  expect(await joinsWith(null)).toBe(true);
});

it("asks an edge that was gone before it gets a batch, and lets it have none as one call that it no longer joins", async () => {
  const { rules, edges } = rulesOver(twice, { parameters: { join_rows: true } });
  await rules.learn("m");
  expect(rules.mayJoinAt(0, "m")).toBe(true);
  rules.gone(0);
  expect(await rules.mayJoinAt(0, "m")).toBe(true);
  expect(rules.mayJoinAt(0, "m")).toBe(true);
  rules.gone(0);
  Object.assign(edges[0] as object, { metadata: { parameters: { join_rows: false } } });
  expect([await rules.mayJoinAt(0, "m"), rules.mayJoinAt(0, "m")]).toEqual([false, false]);
  expect(rules.mayJoinAt(0, "joined")).toBe(true);
});

it("lets an edge that was gone and does not answer have no batch as one call", async () => {
  const { rules, edges } = rulesOver(twice, { parameters: { join_rows: true } });
  await rules.learn("m");
  rules.gone(0);
  Object.assign(edges[0] as object, { metadata: undefined });
  expect(await rules.mayJoinAt(0, "m")).toBe(false);
});

it("never joins a request whose inputs have no rows in common", async () => {
  const { rules } = rulesOver(twice, { parameters: { join_rows: true } });
  await rules.learn("m");
  const scalar = { ...a, inputs: [...a.inputs, tensorFromNumbers("s", "FP32", [], [1])] };
  const state = { ...a, inputs: [...a.inputs, tensorFromNumbers("h", "FP32", [2, 1], [1, 2])] };
  for (const request of [scalar, state]) {
    expect(rules.ruleFor("m", request)).toEqual({
      joins: false,
      mostRows: 1,
      rows: undefined,
      hasRows: false,
    });
  }
  expect(rules.ruleFor("m", { ...a, inputs: [tensorFromNumbers("x", "FP32", [0, 2], [])] }).joins).toBe(
    false,
  );
});

it("follows a function's metadata while no edge has answered, and makes no proofs there", async () => {
  const { rules, byFunction, calls, answer, joins } = rulesOver(twice, undefined);
  byFunction.metadata = dynamic;
  await rules.learn("m");
  await answer(a, b);
  expect([joins(a), calls]).toEqual([false, []]);
  const said = rulesOver(twice, undefined);
  said.byFunction.metadata = { ...dynamic, parameters: { join_rows: true, max_batch_rows: 4 } };
  await said.rules.learn("m");
  expect(said.rules.ruleFor("m", a)).toMatchObject({ joins: true, mostRows: 4 });
});

it("joins what the user declares, and not what he declares apart", async () => {
  const { rules } = rulesOver(twice, undefined);
  expect(rules.ruleFor("joined", a).joins).toBe(true);
  const said = rulesOver(twice, { parameters: { join_rows: true } });
  await said.rules.learn("apart");
  expect(said.rules.ruleFor("apart", a).joins).toBe(false);
});

it("proves a shape by two requests that were answered alone, in both orders at every edge that does not say", async () => {
  const { calls, proofs, answer, joins, rules } = rulesOver(twice, dynamic, dynamic);
  await rules.learn("m");
  await answer(a);
  expect([joins(a), calls]).toEqual([false, []]);
  await answer(b);
  expect(proofs.map(({ result }) => result)).toEqual(["agreed"]);
  expect(calls.map(({ edge, rows }) => [edge, rows])).toEqual([
    [0, 3],
    [0, 3],
    [1, 3],
    [1, 3],
  ]);
  expect([joins(a), joins(requestOf([1, 2, 3]))]).toEqual([true, false]);
});

it("ends joining by a difference of values, and says so", async () => {
  const { proofs, warnings, answer, joins, rules } = rulesOver(meanOfAll, dynamic);
  await rules.learn("m");
  await answer(a, b, a, b);
  expect(proofs).toMatchObject([{ result: "differed", why: /output y differs by .* in company/ }]);
  expect(warnings).toMatchObject([{ model: "m" }]);
  expect([joins(a), rules.of("m").isKnown]).toEqual([false, true]);
});

it.each<[string, Arithmetic]>([
  ["reduced to one row", (rows) => [rows.flat()]],
  ["of another first dimension", (rows) => [...rows, ...rows]],
])("ends joining by an answer that is %s, without a call", async (_, model) => {
  const { calls, answer, joins, rules } = rulesOver(model, dynamic);
  await rules.learn("m");
  await answer(b, requestOf([1, 1], [2, 9]));
  expect([joins(b), calls]).toEqual([false, []]);
  expect(rules.of("m").why).toMatch(/output y is \[\d,\d\] for 2 rows/);
});

it("proves nothing by requests that are equal, or by rows that are repeated", async () => {
  const { calls, answer, joins, rules } = rulesOver(meanOfAll, dynamic);
  await rules.learn("m");
  await answer(a, requestOf([1, 2]), requestOf([1, 2], [1, 2]));
  expect([joins(a), calls]).toEqual([false, []]);
});

it("takes three proofs where the answers do not tell the requests apart", async () => {
  const { proofs, answer, joins, rules } = rulesOver(constant, dynamic);
  await rules.learn("m");
  const joined: boolean[] = [];
  for (let nth = 0; nth < 3; nth++) {
    await answer(a, b);
    joined.push(joins(a));
  }
  expect([joined, proofs.length]).toEqual([[false, false, true], 3]);
});

it("takes three proofs as well where one output is the same for all requests", async () => {
  const twice: Arithmetic = (rows) => rows.map((row) => row.map((value) => 2 * value));
  const { proofs, answer, joins, rules } = rulesOver(twice, {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
  });
  await rules.learn("m");
  const [one, other] = [requestOf([1, 2, 3]), requestOf([3, 5, 7])];
  await answer(one, other);
  expect([joins(one), proofs.length]).toEqual([false, 1]);
  await answer(one, other, one, other);
  expect([joins(one), proofs.length]).toEqual([true, 3]);
});

it("takes no proof from answers that differ more in company than from each other", async () => {
  const aboveMean: Arithmetic = (rows) =>
    rows.map((row, index) => row.map((value, axis) => 1_000 + value - (meanOfAll(rows)[index]?.[axis] ?? 0)));
  const { proofs, answer, joins, rules } = rulesOver(aboveMean, dynamic);
  await rules.learn("m");
  const one = requestOf([3, 5]);
  for (let nth = 0; nth < 5; nth++) await answer(a, one);
  expect(proofs.map(({ result }) => result)).toContain("agreed");
  expect(joins(a)).toBe(false);
});

it("makes at most twenty proofs a model and hour, and then trusts a model that is proved for three shapes", async () => {
  const { now, proofs, answer, joins, rules } = rulesOver(twice, dynamic);
  await rules.learn("m");
  const shaped = (width: number, value: number): InferRequest => requestOf(Array<number>(width).fill(value));
  for (let width = 1; width <= 25; width++) await answer(shaped(width, 1), shaped(width, 2));
  expect(proofs).toHaveLength(20);
  expect(joins(shaped(25, 1))).toBe(true);
  now.ms = 3_600_001;
  expect([joins(shaped(25, 1)), joins(shaped(5, 1))]).toEqual([false, true]);
});

it("draws no conclusion when an edge is away, and ends joining when joined calls fail three times", async () => {
  const { failing, proofs, answer, joins, rules } = rulesOver(twice, dynamic);
  await rules.learn("m");
  failing.error = new SpillwayError("target_unreachable", "away");
  for (let nth = 0; nth < 4; nth++) await answer(a, b);
  expect(rules.of("m").isKnown).toBe(false);
  failing.error = new SpillwayError("request_rejected", "one row at a time");
  for (let nth = 0; nth < 3; nth++) await answer(a, b);
  expect(proofs.at(-1)).toMatchObject({ result: "differed", why: "joined requests fail: one row at a time" });
  expect(joins(a)).toBe(false);
});

it("learns a bound from a batch that was refused, for an hour", async () => {
  const { rules, now } = rulesOver(twice, { parameters: { join_rows: true, max_batch_rows: 8 } });
  await rules.learn("m");
  rules.tooManyRows("m", 4);
  rules.tooManyRows("m", 6);
  expect(rules.of("m")).toMatchObject({ joins: true, mostRows: 4 });
  now.ms = 3_600_001;
  expect(rules.of("m").mostRows).toBe(8);
  rules.tooManyRows("m", 1);
  expect(rules.ruleFor("m", a)).toMatchObject({ joins: false, mostRows: 1 });
});

it("ends joining when a batch came back mixed, until an edge describes the model differently", async () => {
  const { rules, edges, joins } = rulesOver(twice, { versions: ["1"], parameters: { join_rows: true } });
  await rules.learn("m");
  rules.mixedRows("m", "output y has 3 rows for 2");
  expect(rules.of("m")).toMatchObject({ joins: false, why: "output y has 3 rows for 2" });
  await rules.learn("m");
  expect(joins(a)).toBe(false);
  edges[0] = { metadata: { versions: ["2"], parameters: { join_rows: true } }, config: undefined };
  await rules.learn("m");
  expect(joins(a)).toBe(true);
});

it("proves a model anew when an edge describes it differently", async () => {
  const { rules, edges, answer, joins } = rulesOver(twice, dynamic);
  await rules.learn("m");
  await answer(a, b);
  expect(joins(a)).toBe(true);
  edges[0] = { metadata: { ...dynamic, versions: ["2"] }, config: undefined };
  await rules.learn("m");
  expect(joins(a)).toBe(false);
});

it("splits a request whose rows the user calls independent where every output is said to have them", async () => {
  const outputs = (...shapes: number[][]) =>
    shapes.map((shape, index) => ({ name: String(index), datatype: "FP32", shape }));
  const { rules, edges } = rulesOver(twice, { ...dynamic, outputs: outputs([-1, 2], [-1]) });
  await rules.learn("joined");
  expect(rules.ruleFor("joined", b)).toMatchObject({ joins: true, unitRows: 1, hasRows: false });
  edges[0]!.metadata = { ...dynamic, outputs: outputs([-1, 2], [1]) };
  await rules.learn("joined");
  expect(rules.ruleFor("joined", b)).toMatchObject({ joins: true, unitRows: undefined });
});

it("sends batches of the only size that a server takes, whatever the user says of the rows", async () => {
  const { rules } = rulesOver(twice, { inputs: [{ name: "x", datatype: "FP32", shape: [2, 2] }] });
  await rules.learn("joined");
  const rule = rules.ruleFor("joined", requestOf([1, 1], [2, 2], [3, 3], [4, 4]));
  expect(rule).toMatchObject({ joins: false, unitRows: 2 });
  expect(rules.of("joined")).toMatchObject({ joins: false, fixedRows: 2 });
  expect(rules.of("joined").why).toBe("the first dimension of input x is fixed at 2");
});
