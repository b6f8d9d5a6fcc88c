/** The calibration against the real V2 app, with models whose service times are made up. */
import { pino } from "pino";
import { expect, it } from "vitest";
import { createEdgeApp } from "../../../edge/server/app.ts";
import type { ModelRunner } from "../../../edge/models/model-runner.ts";
import { bodyPieces } from "../../../protocol/message.ts";
import { rowsOf } from "../../../protocol/stack.ts";
import { headerLength, toWireBody, wireHeaders } from "../../../protocol/v2-http.ts";
import { unmeasured } from "./daemon-profile.ts";
import { SpillwayError } from "../../../base/errors.ts";
import type { Transport } from "../../transports/transport.ts";
import { calibrate } from "./calibrate.ts";
import { describedModel, type ExampleModel, exampleOfZeros } from "./example-input.ts";

const metadata = {
  name: "m",
  platform: "test",
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3, -1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 3, -1] }],
} as const;

/** Says that `rows` rows took 5 ms and 1 ms for each; more than `mostRows` are refused. */
function runner(mostRows: number): ModelRunner {
  return {
    model: { name: "m", version: "1", path: "", exampleShapes: { x: [1, 3, 4] } },
    replicas: 2,
    isReady: true,
    metadata: { ...metadata, inputs: [{ ...metadata.inputs[0], shape: [-1, 3, -1] }], outputs: [] },
    ready: () => Promise.resolve(),
    checkRoom: () => {},
    run: (request) => {
      const rows = rowsOf(request);
      if (rows > mostRows) return Promise.reject(Object.assign(new Error("too many rows"), { status: 400 }));
      return Promise.resolve({ outputs: request.inputs, serviceMs: 5 + rows, queuedMs: 0, replica: 0 });
    },
    status: () => ({
      name: "m",
      version: "1",
      state: "ready",
      queueRows: 0,
      queueBytes: 0,
      openRequests: 0,
      replicas: [],
      events: [],
    }),
    close: () => Promise.resolve(),
  };
}

function transportTo(models: readonly ModelRunner[], coldStarts: (number | undefined)[] = []): Transport {
  const app = createEdgeApp({ models, log: pino({ level: "silent" }), maxBodyBytes: 1_000_000 });
  return {
    call: async (model, wire) => {
      const body = Buffer.concat(bodyPieces(wire));
      const headers = wireHeaders(wire);
      const reply = await app.request(`/v2/models/${model}/infer`, { method: "POST", headers, body });
      const answer = toWireBody(reply.headers.get(headerLength), await reply.arrayBuffer());
      return {
        status: reply.status,
        wire: answer,
        durationMs: undefined,
        coldStartMs: coldStarts.length === 0 ? 0 : coldStarts.shift(),
        mayHaveStarted: false,
        cost: 2,
      };
    },
    close: () => Promise.resolve(),
  };
}

async function described(models: readonly ModelRunner[]): Promise<Uint8Array> {
  const app = createEdgeApp({ models, log: pino({ level: "silent" }), maxBodyBytes: 1_000 });
  return new Uint8Array(await (await app.request("/v2/models/m")).arrayBuffer());
}

const edges = [{ name: "edge" }];
const functions = [{ name: "small", vcpu: 1, memoryMib: 512 }];

const exampleModel = (name: string, body: Uint8Array): ExampleModel =>
  exampleOfZeros(describedModel(name, body));

it("measures every target by the server's own word, keeps cold starts out, and stops at what is refused", async () => {
  const edge = [runner(8)];
  const measuredPairs: string[] = [];
  const profile = await calibrate({
    profile: unmeasured({ edges, functions, options: { serverlessCalls: 3 } }),
    transports: [transportTo(edge), transportTo([runner(64)], [70, 0, 65])],
    models: [exampleModel("m", await described(edge))],
    budgetMs: 5_000,
    longestMs: 20,
    stop: new AbortController().signal,
    onMeasured: ({ name }, model, { fault }) =>
      measuredPairs.push(`${name} ${model} ${fault?.code ?? "well"}`),
  });
  expect(measuredPairs).toEqual(["edge m request_rejected", "small m well"]);
  const [onEdge, small] = profile.targets;
  expect(onEdge).toMatchObject({ replicas: 2, coldStartMs: [], models: { m: { maxBatch: 8 } } });
  expect(new Set(onEdge?.models["m"]?.serviceMs["8"])).toEqual(new Set([13]));
  expect(onEdge?.models["m"]?.serviceMs["1"]?.length).toBeGreaterThan(1);
  // 16 rows take 21 ms, which is more than is of any use.
  expect(small).toMatchObject({ replicas: 3, coldStartMs: [70, 65], models: { m: { maxBatch: 16 } } });
  expect(Object.keys(small?.models["m"]?.serviceMs ?? {})).toEqual(["1", "2", "4", "8", "16"]);
  expect(new Set(small?.models["m"]?.serviceMs["16"])).toEqual(new Set([21]));
});

it("reckons how long a start took that nobody timed, and keeps calls of unknown starts out", async () => {
  const models = [runner(64)];
  const costs: number[] = [];
  const profile = await calibrate({
    profile: unmeasured({ edges, functions, options: { serverlessCalls: 3 } }),
    transports: [transportTo(models), transportTo(models, [undefined, 0, undefined, undefined])],
    models: [exampleModel("m", await described(models))],
    sizes: [1],
    rounds: 3,
    budgetMs: 5_000,
    longestMs: 20,
    stop: new AbortController().signal,
    onMeasured: (_, __, { cost }) => costs.push(cost),
  });
  // A first call, one of the size, three rounds; at the function two more that were cold.
  expect(costs).toEqual([10, 14]);
  expect(profile.targets[1]?.coldStartMs).toEqual([expect.any(Number)]);
  expect(profile.targets[1]?.models["m"]?.serviceMs["1"]).toEqual([6, 6, 6]);
});

it("leaves a target open that does not answer", async () => {
  const edge = [runner(8)];
  const call = (): Promise<never> => Promise.reject(new SpillwayError("target_unreachable"));
  const profile = await calibrate({
    profile: unmeasured({ edges, functions, options: { serverlessCalls: 3 } }),
    transports: [transportTo(edge), { call, close: () => Promise.resolve() }],
    models: [exampleModel("m", await described(edge))],
    budgetMs: 5_000,
    longestMs: 20,
    stop: new AbortController().signal,
    onMeasured: () => {},
  });
  expect(profile.targets.map(({ models }) => Object.keys(models))).toEqual([["m"], []]);
});

it("measures any number of edges, each with its own replicas", async () => {
  const [near, far] = [[runner(8)], [runner(2)]];
  const profile = await calibrate({
    profile: unmeasured({
      edges: [{ name: "near" }, { name: "far" }],
      functions,
      options: { serverlessCalls: 3 },
    }),
    transports: [transportTo(near), transportTo(far), transportTo([runner(64)])],
    models: [exampleModel("m", await described(near))],
    replicas: new Map([["far", 5]]),
    sizes: [1, 2, 4],
    rounds: 1,
    budgetMs: 5_000,
    longestMs: 50,
    stop: new AbortController().signal,
    onMeasured: () => {},
  });
  expect(
    profile.targets.map(({ name, kind, replicas, models }) => [name, kind, replicas, models["m"]?.maxBatch]),
  ).toEqual([
    ["near", "edge", 2, 4],
    ["far", "edge", 5, 2],
    ["small", "serverless", 3, 4],
  ]);
});

it("makes no input where the model leaves a dimension open and the server names no example", () => {
  const body = new TextEncoder().encode(JSON.stringify(metadata));
  expect(() => exampleModel("m", body)).toThrow(/input x has an open dimension/);
  const image = { name: "image", datatype: "BYTES", shape: [-1], parameters: { content: "picture" } };
  const pictures = new TextEncoder().encode(JSON.stringify({ inputs: [image] }));
  expect(() => exampleModel("m", pictures)).toThrow(/input image takes a picture/);
});

it("makes inputs of as many rows as are asked for, in the shape that the model states", () => {
  const inputs = [
    { name: "x", datatype: "INT64", shape: [-1, 3] },
    { name: "s", datatype: "BYTES", shape: [-1] },
  ];
  const model = exampleModel("m", new TextEncoder().encode(JSON.stringify({ inputs })));
  const request = model.request(2);
  expect(rowsOf(request)).toBe(2);
  expect(request.inputs.map(({ shape, data }) => [shape, data.length])).toEqual([
    [[2, 3], 48],
    [[2], 8],
  ]);
});
