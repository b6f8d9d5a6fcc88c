/** The queue before V2 servers that are not ours: what it joins, and what it measures. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdtempSync, readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, it } from "vitest";
import { checkValues } from "../../base/program/options.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { closers, listen } from "../../test/support/wired-targets.ts";
import { parseProfile } from "../policies/profile.ts";
import { openDaemon } from "./open-daemon.ts";
import { daemonOptions } from "./options.ts";

const prices = fileURLToPath(new URL("../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url));

interface TestModel {
  readonly metadata?: object;
  readonly config?: object;
  /** Of the values of all rows; default: each value as it is. */
  readonly model?: (values: number[]) => number[];
}

const dynamic = [{ name: "x", datatype: "FP32", shape: [-1, 1] }];

/** A server of one model, a daemon before it, and the rows of each call. */
async function daemonBefore(
  { metadata = { inputs: dynamic }, config, model = (all) => all }: TestModel,
  given: object,
) {
  const rows: number[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { url = "", headers } = request;
    const json = (value: unknown): void => void response.end(JSON.stringify(value));
    const body = await buffer(request);
    if (url.endsWith("/index")) return json([{ name: "m" }]);
    if (url.endsWith("/config"))
      return config === undefined ? void response.writeHead(404).end() : json(config);
    if (!url.endsWith("/infer")) return json(url === "/v2" ? {} : { name: "m", ...metadata });
    const wire = toWireBody(headers[headerLength], new Uint8Array(body).buffer);
    const [x] = decodeInferRequest(wire.body, wire.headerBytes).inputs;
    const values = model(Array.from(tensorToNumbers(x as never), Number));
    rows.push(x?.shape[0] ?? 0);
    const y = tensorFromNumbers("y", "FP32", [values.length, 1], values);
    const answer = encodeInferResponse({ modelName: "m", parameters: {}, outputs: [y] }, () => true);
    response.writeHead(200, wireHeaders(answer)).end(answer.body);
  };
  const url = await listen(createServer((request, response) => void serve(request, response)));
  const values = { edge: url, serverless: false, prices, slo: 5, ...given };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), pino({ level: "silent" }));
  closers.push(() => daemon.close());
  await daemon.start(new AbortController().signal);
  /** The value that each request gets back, all being there at once. */
  const ask = (...numbers: number[]): Promise<number[]> =>
    Promise.all(
      numbers.map(async (number) => {
        const request: InferRequest = {
          parameters: {},
          inputs: [tensorFromNumbers("x", "FP32", [1, 1], [number])],
        };
        const { answer } = await daemon.submit(
          { model: "m", request, bytes: 4 },
          new AbortController().signal,
        );
        return Number(tensorToNumbers(answer.outputs[0] as never)[0]);
      }),
    );
  return { daemon, rows, ask };
}

// Longer than eight requests take to come, also on a busy machine.
const fixed = { policy: "fixed", edgeBatch: 8, timeout: 0.5, slo: 5 };
const eight = [1, 2, 3, 4, 5, 6, 7, 8];

it("joins rows up to Triton's max_batch_size", async () => {
  const { rows, ask } = await daemonBefore({ config: { max_batch_size: 4 } }, fixed);
  expect(await ask(...eight)).toEqual(eight);
  expect(rows).toEqual([4, 4]);
});

/** A request of several rows, and the values that come back. */
async function askRows({ daemon }: Awaited<ReturnType<typeof daemonBefore>>, values: readonly number[]) {
  const inputs = [tensorFromNumbers("x", "FP32", [values.length, 1], values)];
  const call = { model: "m", request: { id: "seven", parameters: {}, inputs }, bytes: 4 };
  const { answer, parts } = await daemon.submit(call, new AbortController().signal);
  const [output] = answer.outputs;
  return { values: Array.from(tensorToNumbers(output as never), Number), id: answer.id, parts };
}

it("splits a request with more rows than the server takes, and puts its answer together", async () => {
  const made = await daemonBefore(
    { config: { max_batch_size: 4 }, model: (all) => all.map((x) => 2 * x) },
    fixed,
  );
  const values = Array.from({ length: 11 }, (_, row) => row);
  expect(await askRows(made, values)).toEqual({
    values: values.map((x) => 2 * x),
    id: "seven",
    parts: [{ target: "edge", fromRow: 0, toRow: 11 }],
  });
  expect(made.rows).toEqual([4, 4, 3]);
});

it("splits a request for a model of a fixed batch into such batches", async () => {
  const made = await daemonBefore(
    { metadata: { inputs: [{ name: "x", datatype: "FP32", shape: [2, 1] }] } },
    fixed,
  );
  await made.ask(1, 2);
  made.rows.length = 0;
  expect(await askRows(made, [1, 2, 3, 4, 5, 6])).toMatchObject({
    values: [1, 2, 3, 4, 5, 6],
    parts: [{ fromRow: 0, toRow: 6 }],
  });
  expect(made.rows).toEqual([2, 2, 2]);
});

it("does not split a request whose rows may depend on each other", async () => {
  const made = await daemonBefore({ config: { max_batch_size: 0 } }, fixed);
  expect((await askRows(made, eight)).parts).toBeUndefined();
  expect(made.rows).toEqual([8]);
});

it("sends every request alone where Triton says that the model has no batches, as one row", async () => {
  const { rows, ask, daemon } = await daemonBefore({ config: { max_batch_size: 0 } }, fixed);
  expect(await ask(...eight)).toEqual(eight);
  expect(rows).toEqual(Array(8).fill(1));
  expect(daemon.rules.of("m")).toMatchObject({
    joins: false,
    why: "its configuration says max_batch_size: 0",
  });
});

it("joins rows of a server that says nothing once that is proved there", async () => {
  const { rows, ask, daemon } = await daemonBefore({}, fixed);
  expect(await ask(1)).toEqual([1]);
  expect(await ask(2)).toEqual([2]);
  await expect.poll(() => daemon.rules.of("m").provedShapes).toBe(1);
  expect(rows).toEqual([1, 1, 2, 2]);
  expect(await ask(...eight)).toEqual(eight);
  expect(rows.slice(4)).toEqual([8]);
});

it("never joins rows of a model that looks at all of them", async () => {
  const spread = (all: number[]): number[] => all.map((value) => value - Math.min(...all));
  const { rows, ask, daemon } = await daemonBefore(
    { model: (all) => spread(all).map((value) => value + 1) },
    fixed,
  );
  await ask(3);
  await ask(5);
  expect(await ask(...eight)).toEqual(Array(8).fill(1));
  expect(rows.every((count) => count <= 2)).toBe(true);
  expect(await ask(...eight)).toEqual(Array(8).fill(1));
  expect(daemon.rules.of("m").joins).toBe(false);
});

it("obeys what the user says of a model", async () => {
  const joined = await daemonBefore({}, { ...fixed, joinRows: "m" });
  await joined.ask(...eight);
  expect(joined.rows).toEqual([8]);
  const apart = await daemonBefore({ config: { max_batch_size: 8 } }, { ...fixed, joinRows: "m=false" });
  await apart.ask(...eight);
  expect(apart.rows).toEqual(Array(8).fill(1));
});

it.each<[string, TestModel, number[]]>([
  ["up to its bound", { config: { max_batch_size: 6 } }, [1, 2, 4, 6]],
  ["in the usual sizes where it has none", {}, [1, 2, 4, 8, 16, 32, 64]],
  ["by single requests where it has no batches", { config: { max_batch_size: 0 } }, [1]],
  [
    "by requests of its own size where that is fixed",
    { metadata: { inputs: [{ name: "x", datatype: "FP32", shape: [4, 1] }] } },
    [4],
  ],
])("measures a model %s", async (_, model, sizes) => {
  const saveProfile = join(mkdtempSync(join(tmpdir(), "spillway-any-")), "profile.json");
  const { rows } = await daemonBefore(model, { calibrate: 20, saveProfile });
  expect([...new Set(rows)].sort((a, b) => a - b)).toEqual(sizes);
  const [edge] = parseProfile(readFileSync(saveProfile, "utf8"), saveProfile).targets;
  expect(edge?.models["m"]?.maxBatch).toBe(sizes.length === 1 ? 1 : sizes.at(-1));
});

it("counts requests, their rows and the batches of each model", async () => {
  const { ask, daemon } = await daemonBefore({ config: { max_batch_size: 4 } }, fixed);
  await ask(...eight);
  const statistics = daemon.statistics.of("m");
  expect([statistics?.success.count, statistics?.rows, statistics?.executions]).toEqual([8, 8, 2]);
  expect([...(statistics?.batches.keys() ?? [])]).toEqual([4]);
  expect(statistics?.fail.count).toBe(0);
  expect(await daemon.metrics.text()).toContain('spillway_queue_models{joins="yes"} 1');
});
