/**
 * What an Open Inference Protocol (V2) server must do, as a suite that takes a URL: the required endpoints, the
 * extensions that the server says it has, and the ways in which clients get requests wrong. The server serves the
 * models of conformance-models.ts; an extension that it does not name is skipped.
 */
import { deflateSync, gzipSync } from "node:zlib";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Datatype, datatypes } from "../../protocol/datatype.ts";
import { tensorFromNumbers, tensorFromStrings, tensorToStrings } from "../../protocol/tensor.ts";
import { headerLength } from "../../protocol/v2-http.ts";
import { type Call, caller, inferBinary } from "./v2-caller.ts";

const ones = Array.from({ length: 16 }, () => 1);
const count = Array.from({ length: 16 }, (_, index) => index);
const input = (name: string, data: unknown, shape = [1, 16]): object => ({
  name,
  datatype: "INT32",
  shape,
  data,
});
const simple = { id: "42", inputs: [input("INPUT0", count), input("INPUT1", ones)] };
const infer = "/v2/models/simple/infer";

export function conformance(url: () => string): void {
  const call = caller(url);
  describe("server", () => serverEndpoints(call));
  describe("models", () => modelEndpoints(call));
  describe("inference in JSON", () => jsonInference(call));
  describe("requests that are wrong", () => wrongRequests(call));
  extension(call, "binary_tensor_data", () => binaryInference(call, url));
  extension(call, "model_configuration", () => configuration(call));
  extension(call, "statistics", () => statistics(call));
  extension(call, "model_repository", () => repository(call));
  extension(call, "schedule_policy", () => schedulePolicy(call));
  describe("compression", () => compression(call, url));
}

/** Tests that run only when the server names the extension. */
function extension(call: Call, name: string, tests: () => void): void {
  describe(`extension ${name}`, () => {
    let isServed = false;
    beforeAll(async () => {
      const { json } = await call("/v2");
      isServed = (json as { extensions: string[] }).extensions.includes(name);
    });
    beforeEach(({ skip }) => {
      if (!isServed) skip(`the server does not name ${name}`);
    });
    tests();
  });
}

function serverEndpoints(call: Call): void {
  it("is live and ready", async () => {
    expect((await call("/v2/health/live")).status).toBe(200);
    expect((await call("/v2/health/ready")).status).toBe(200);
  });

  it.each(["/v2", "/v2/"])("says its name, version and extensions at %s", async (path) => {
    const { status, json } = await call(path);
    expect(status).toBe(200);
    expect(json).toEqual({
      name: expect.any(String),
      version: expect.any(String),
      extensions: expect.arrayContaining([]),
    });
  });

  it("answers 404 with an error where there is nothing, and 405 for a wrong method", async () => {
    expect(await call("/v2/nothing")).toMatchObject({ status: 404, json: { error: expect.any(String) } });
    const wrong: [string, string][] = [
      ["DELETE", "/v2/models/simple"],
      ["GET", infer],
      ["PUT", infer],
      ["POST", "/v2/health/live"],
      ["POST", "/v2"],
    ];
    for (const [method, path] of wrong) {
      const answer = await call(path, undefined, { method });
      expect([method, path, answer.status]).toEqual([method, path, 405]);
      expect(answer.json).toEqual({ error: expect.any(String) });
    }
  });
}

function modelEndpoints(call: Call): void {
  it.each(["/v2/models/simple", "/v2/models/simple/versions/3", "/v2/models/%73imple"])(
    "describes the model at %s",
    async (path) => {
      const { status, json } = await call(path);
      const tensor = (name: string): object => ({ name, datatype: "INT32", shape: [-1, 16] });
      expect(status).toBe(200);
      expect(json).toMatchObject({
        name: "simple",
        versions: ["3"],
        platform: "onnx_onnxv1",
        inputs: [tensor("INPUT0"), tensor("INPUT1")],
        outputs: [tensor("OUTPUT0"), tensor("OUTPUT1")],
      });
    },
  );

  it("says that the model is ready, with and without its version", async () => {
    for (const path of ["/v2/models/simple/ready", "/v2/models/simple/versions/3/ready"]) {
      expect(await call(path)).toMatchObject({ status: 200, json: { name: "simple", ready: true } });
    }
  });

  it("does not know other models and versions", async () => {
    for (const model of ["nope", "simple/versions/9", "..%2f..%2fetc", "%00", "simple%20"]) {
      for (const what of ["", "/ready", "/infer"]) {
        const answer = await call(`/v2/models/${model}${what}`, what === "/infer" ? simple : undefined);
        expect([400, 404]).toContain(answer.status);
        expect(answer.json).toEqual({ error: expect.any(String) });
      }
    }
  });
}

function jsonInference(call: Call): void {
  const answer = {
    id: "42",
    model_name: "simple",
    model_version: "3",
    outputs: [
      { name: "OUTPUT0", datatype: "INT32", shape: [1, 16], data: count.map((value) => value + 1) },
      { name: "OUTPUT1", datatype: "INT32", shape: [1, 16], data: count.map((value) => value - 1) },
    ],
  };

  it.each([infer, "/v2/models/simple/versions/3/infer"])(
    "answers at %s with the request's id",
    async (path) => {
      expect(await call(path, simple)).toMatchObject({ status: 200, json: answer });
    },
  );

  it("takes nested data as well as flat", async () => {
    const nested = { ...simple, inputs: [input("INPUT0", [count]), input("INPUT1", [ones])] };
    expect((await call(infer, nested)).json).toMatchObject(answer);
  });

  it("has no id where the request has none", async () => {
    expect((await call(infer, { inputs: simple.inputs })).json).not.toHaveProperty("id");
  });

  it("gives the outputs that are asked for, in that order", async () => {
    const request = { ...simple, outputs: [{ name: "OUTPUT1" }] };
    expect((await call(infer, request)).json).toMatchObject({ outputs: [answer.outputs[1]] });
  });

  it("takes several rows, and a body in chunks", async () => {
    const rows = {
      inputs: [input("INPUT0", [...count, ...ones], [2, 16]), input("INPUT1", [...ones, ...ones], [2, 16])],
    };
    const bytes = new TextEncoder().encode(JSON.stringify(rows));
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
        controller.close();
      },
    });
    const { json } = await call(infer, body, { duplex: "half" } as RequestInit);
    expect(json).toMatchObject({ outputs: [{ shape: [2, 16] }, { shape: [2, 16] }] });
  });

  it("takes custom parameters, and a null for what is optional", async () => {
    const request = { ...simple, parameters: { colour: "red", size: 4, wide: true }, outputs: null };
    expect((await call(infer, request)).status).toBe(200);
  });
}

function wrongRequests(call: Call): void {
  const deep = "[".repeat(100_000);
  const inputs = simple.inputs;
  it.each<[string, unknown]>([
    ["an empty body", ""],
    ["what is no JSON", "{"],
    ["no object", "[]"],
    ["JSON that is nested deeply", `{"inputs":${deep}`],
    ["no inputs", {}],
    ["an empty list of inputs", { inputs: [] }],
    ["an input that is missing", { inputs: inputs.slice(1) }],
    ["an input of another name", { inputs: [...inputs, input("INPUT2", ones)] }],
    ["the same input twice", { inputs: [inputs[0], inputs[0], inputs[1]] }],
    ["another datatype", { inputs: [{ ...inputs[0], datatype: "FP32" }, inputs[1]] }],
    ["an unknown datatype", { inputs: [{ ...inputs[0], datatype: "INT33" }, inputs[1]] }],
    ["no shape", { inputs: [{ ...inputs[0], shape: undefined }, inputs[1]] }],
    ["a negative size", { inputs: [input("INPUT0", count, [-1, -16]), inputs[1]] }],
    ["another rank", { inputs: [input("INPUT0", count, [16]), inputs[1]] }],
    ["another size", { inputs: [input("INPUT0", [1, 2], [1, 2]), inputs[1]] }],
    ["sizes whose product overflows", { inputs: [input("INPUT0", count, [2 ** 33, 2 ** 33]), inputs[1]] }],
    ["too few elements", { inputs: [input("INPUT0", [1]), inputs[1]] }],
    ["too many elements", { inputs: [input("INPUT0", [...count, 1]), inputs[1]] }],
    ["an element of another kind", { inputs: [input("INPUT0", count.map(String)), inputs[1]] }],
    [
      "an element beyond its datatype",
      {
        inputs: [
          input(
            "INPUT0",
            count.map(() => 2 ** 31),
          ),
          inputs[1],
        ],
      },
    ],
    ["rows that differ", { inputs: [input("INPUT0", [...count, ...count], [2, 16]), inputs[1]] }],
    ["no rows", { inputs: [input("INPUT0", [], [0, 16]), input("INPUT1", [], [0, 16])] }],
    ["an unknown output", { inputs, outputs: [{ name: "OUTPUT9" }] }],
    ["an output twice", { inputs, outputs: [{ name: "OUTPUT0" }, { name: "OUTPUT0" }] }],
    ["an id that is no text", { inputs, id: 42 }],
    [
      "binary data that is not there",
      { inputs: [{ ...inputs[0], data: undefined, parameters: { binary_data_size: 64 } }, inputs[1]] },
    ],
  ])("answers 400 to %s", async (_, body) => {
    const answer = await call(infer, body);
    expect(answer).toMatchObject({ status: 400, json: { error: expect.any(String) } });
  });

  it.each(["-1", "1e3", "99999999999999999999", "1000000", "x"])(
    "answers 400 to a header length of %s",
    async (length) => {
      const answer = await call(infer, simple, { headers: { [headerLength]: length } });
      expect(answer).toMatchObject({ status: 400, json: { error: expect.any(String) } });
    },
  );

  it("answers 400 to a 64-bit integer that JSON numbers cannot state", async () => {
    const body = `{"inputs":[{"name":"IN_INT64","datatype":"INT64","shape":[1,2],"data":[9007199254740993,1]}]}`;
    expect((await call("/v2/models/types/infer", body)).status).toBe(400);
  });

  it("answers more rows than the model takes with 400", async () => {
    const data = Array.from({ length: 65 * 16 }, () => 1);
    const many = { inputs: [input("INPUT0", data, [65, 16]), input("INPUT1", data, [65, 16])] };
    expect((await call(infer, many)).status).toBe(400);
  });
}

function binaryInference(call: Call, url: () => string): void {
  const all = datatypes.map((datatype: Datatype) => {
    if (datatype === "BYTES") return tensorFromStrings("IN_BYTES", [2, 2], ["", "å", "two", "3"]);
    if (datatype === "FP16") {
      const data = new Uint8Array(Uint16Array.of(0x3c00, 0x7e00, 0xfc00, 0x0001).buffer);
      return { name: "IN_FP16", datatype, shape: [2, 2], data };
    }
    const isFloat = datatype === "FP32" || datatype === "FP64";
    const values = isFloat ? [Number.NaN, -Infinity, 1.5, -0] : [0, 1, 1, 0];
    return tensorFromNumbers(`IN_${datatype}`, datatype, [2, 2], values);
  });

  it("carries every datatype there and back, bit by bit", async () => {
    const answer = await inferBinary(url(), "types", { id: "b", parameters: {}, inputs: all });
    expect(answer.id).toBe("b");
    for (const tensor of all) {
      const output = answer.outputs.find(({ name }) => name === tensor.name.replace("IN", "OUT"));
      expect(output).toMatchObject({ datatype: tensor.datatype, shape: [2, 2] });
      expect(Array.from(output?.data ?? [])).toEqual(Array.from(tensor.data));
    }
  });

  it("gives each output in the form that is asked for it", async () => {
    const outputs = [{ name: "OUTPUT0", parameters: { binary_data: true } }, { name: "OUTPUT1" }];
    const response = await fetch(`${url()}${infer}`, {
      method: "POST",
      body: JSON.stringify({ ...simple, outputs }),
    });
    const length = Number(response.headers.get(headerLength));
    const body = new Uint8Array(await response.arrayBuffer());
    const json = JSON.parse(new TextDecoder().decode(body.subarray(0, length))) as { outputs: object[] };
    expect(json.outputs[0]).toMatchObject({ parameters: { binary_data_size: 64 } });
    expect(json.outputs[0]).not.toHaveProperty("data");
    expect(json.outputs[1]).toMatchObject({ data: count.map((value) => value - 1) });
    expect(body.length).toBe(length + 64);
  });

  it("lets an output overrule what the request asks for all", async () => {
    const outputs = [{ name: "OUTPUT0", parameters: { binary_data: false } }];
    const request = { ...simple, parameters: { binary_data_output: true }, outputs };
    expect((await call(infer, request)).json).toMatchObject({ outputs: [{ data: expect.any(Array) }] });
  });

  it("refuses FP16 in JSON, which cannot state it", async () => {
    const fp16 = { inputs: [{ name: "IN_FP16", datatype: "FP16", shape: [1, 2], data: [1, 2] }] };
    expect((await call("/v2/models/types/infer", fp16)).status).toBe(400);
  });

  it("refuses bytes that are too few or too many", async () => {
    const header = JSON.stringify({
      inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } }],
    });
    for (const bytes of [0, 7, 9]) {
      const body = new Uint8Array([...new TextEncoder().encode(header), ...new Uint8Array(bytes)]);
      const headers = { [headerLength]: String(header.length) };
      expect((await call("/v2/models/identity/infer", body, { headers })).status).toBe(400);
    }
  });

  it("takes the bytes of the only input alone, as one row", async () => {
    const raw = (body: Uint8Array, model: string): Promise<Response> =>
      fetch(`${url()}/v2/models/${model}/infer`, {
        method: "POST",
        headers: { [headerLength]: "0" },
        body: body as Uint8Array<ArrayBuffer>,
      });
    const floats = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const answer = await raw(floats, "identity");
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const length = Number(answer.headers.get(headerLength));
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)))).toMatchObject({
      outputs: [{ name: "OUT_FP32", shape: [1, 3], parameters: { binary_data_size: 12 } }],
    });
    expect(Array.from(bytes.subarray(length))).toEqual(Array.from(floats));
    expect((await raw(new TextEncoder().encode("a text"), "text")).status).toBe(200);
    expect((await raw(floats, "simple")).status).toBe(400);
    expect((await raw(floats.subarray(1), "identity")).status).toBe(400);
  });

  it("carries texts in JSON and back", async () => {
    const request = { inputs: [{ name: "IN_BYTES", datatype: "BYTES", shape: [2, 1], data: ["å", ""] }] };
    expect((await call("/v2/models/text/infer", request)).json).toMatchObject({
      outputs: [{ datatype: "BYTES", shape: [2, 1], data: ["å", ""] }],
    });
    const texts = tensorFromStrings("IN_BYTES", [1, 1], ["x"]);
    const { outputs } = await inferBinary(url(), "text", { parameters: {}, inputs: [texts] });
    expect(outputs.map(tensorToStrings)).toEqual([["x"]]);
  });
}

function configuration(call: Call): void {
  it("says what perf_analyzer asks for", async () => {
    for (const path of ["/v2/models/simple/config", "/v2/models/simple/versions/3/config"]) {
      const { status, json } = await call(path);
      expect(status).toBe(200);
      expect(json).toMatchObject({
        name: "simple",
        max_batch_size: 64,
        input: [
          { name: "INPUT0", data_type: "TYPE_INT32", dims: [16] },
          { name: "INPUT1", data_type: "TYPE_INT32", dims: [16] },
        ],
        dynamic_batching: {},
      });
    }
    expect((await call("/v2/models/nope/config")).status).toBe(404);
  });
}

interface ModelStats {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Record<string, { count: number; ns: number }>;
  readonly batch_stats: { batch_size: number; compute_infer: { count: number; ns: number } }[];
}

function statistics(call: Call): void {
  const stats = async (path: string): Promise<ModelStats[]> =>
    ((await call(path)).json as { model_stats: ModelStats[] }).model_stats;

  it("counts rows, batches and requests, and their times by the size of batches", async () => {
    const [before] = await stats("/v2/models/simple/stats");
    const three = Array.from({ length: 48 }, () => 1);
    await call(infer, { inputs: [input("INPUT0", three, [3, 16]), input("INPUT1", three, [3, 16])] });
    await call(infer, { inputs: [] });
    const [after] = await stats("/v2/models/simple/versions/3/stats");
    expect(after).toMatchObject({ name: "simple", version: "3" });
    expect((after?.inference_count ?? 0) - (before?.inference_count ?? 0)).toBe(3);
    expect((after?.execution_count ?? 0) - (before?.execution_count ?? 0)).toBe(1);
    const success = (of: ModelStats | undefined): number => of?.inference_stats["success"]?.count ?? 0;
    expect(success(after) - success(before)).toBe(1);
    const bySize = (of: ModelStats | undefined) => of?.batch_stats.find(({ batch_size: rows }) => rows === 3);
    expect((bySize(after)?.compute_infer.count ?? 0) - (bySize(before)?.compute_infer.count ?? 0)).toBe(1);
    expect(bySize(after)?.compute_infer.ns).toBeGreaterThan(0);
    expect(Math.abs((after?.last_inference ?? 0) - Date.now())).toBeLessThan(60_000);
    const names = [
      "success",
      "fail",
      "queue",
      "compute_input",
      "compute_infer",
      "compute_output",
      "cache_hit",
      "cache_miss",
    ];
    expect(Object.keys(after?.inference_stats ?? {})).toEqual(names);
  });

  it("has those of all models together", async () => {
    const names = (await stats("/v2/models/stats")).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["simple", "types", "identity", "text"]));
    expect((await call("/v2/models/nope/stats")).status).toBe(404);
  });
}

interface IndexEntry {
  readonly name: string;
  readonly version?: string;
  readonly state: string;
  readonly reason: string;
}

function repository(call: Call): void {
  const index = async (body: unknown = ""): Promise<IndexEntry[]> =>
    (await call("/v2/repository/index", body)).json as IndexEntry[];

  it("lists every model, and with ready those that can answer", async () => {
    expect(await index()).toContainEqual({ name: "simple", version: "3", state: "READY", reason: "" });
    const off = (await index({})).find(({ name }) => name === "off");
    expect(off).toMatchObject({ state: "UNAVAILABLE", reason: "disabled" });
    expect((await index({ ready: true })).map(({ name }) => name)).not.toContain("off");
  });

  it("refuses a body that is no index request", async () => {
    for (const body of ["[]", "{", `{"ready":${"[".repeat(100_000)}`, { ready: "yes" }]) {
      expect((await call("/v2/repository/index", body)).status).toBe(400);
    }
  });

  it("unloads a model, answers that it is gone, and loads it again", async () => {
    expect((await call("/v2/repository/models/identity/unload", "")).status).toBe(200);
    expect((await index()).find(({ name }) => name === "identity")).toMatchObject({ state: "UNAVAILABLE" });
    expect((await call("/v2/models/identity/ready")).status).not.toBe(200);
    expect((await call("/v2/models/identity")).status).toBe(404);
    expect((await call("/v2/repository/models/identity/load", "")).status).toBe(200);
    expect((await call("/v2/models/identity/ready")).status).toBe(200);
    expect((await call("/v2/repository/models/identity/load", { parameters: {} })).status).toBe(200);
    const body = { parameters: { unload_dependents: true } };
    expect((await call("/v2/repository/models/identity/unload", body)).status).toBe(200);
    expect((await call("/v2/repository/models/identity/load", {})).status).toBe(200);
  });

  it("refuses to load what is not there, and to unload what is not loaded", async () => {
    expect((await call("/v2/repository/models/nope/load", "")).status).toBe(404);
    expect((await call("/v2/repository/models/..%2f/load", "")).status).toBe(404);
    expect((await call("/v2/repository/models/nope/unload", "")).status).toBe(404);
    const unknown = { parameters: { config: "{" } };
    expect((await call("/v2/repository/models/simple/load", unknown)).status).toBe(400);
  });
}

function schedulePolicy(call: Call): void {
  it("takes priority and timeout, and refuses those outside their ranges", async () => {
    const status = async (parameters: object): Promise<number> =>
      (await call(infer, { ...simple, parameters })).status;
    expect(await status({ priority: 1, timeout: 5_000_000 })).toBe(200);
    expect(await status({ priority: 0 })).toBe(200);
    expect(await status({ priority: -1 })).toBe(400);
    expect(await status({ timeout: "soon" })).toBe(400);
  });
}

function compression(call: Call, url: () => string): void {
  const body = new TextEncoder().encode(JSON.stringify(simple));
  it.each([
    ["gzip", gzipSync(body)],
    ["deflate", deflateSync(body)],
  ])("takes a body in %s", async (coding, compressed) => {
    const answer = await call(infer, new Uint8Array(compressed), { headers: { "content-encoding": coding } });
    expect(answer).toMatchObject({ status: 200, json: { id: "42" } });
  });

  it("refuses other codings, and bodies that are not what they say", async () => {
    const headers = (coding: string) => ({ headers: { "content-encoding": coding } });
    expect((await call(infer, body, headers("br"))).status).toBe(415);
    expect((await call(infer, body, headers("gzip"))).status).toBe(400);
  });

  it("refuses a small body that would become a large one", async () => {
    const bomb = gzipSync(new Uint8Array(200 * 2 ** 20));
    const answer = await call(infer, new Uint8Array(bomb), { headers: { "content-encoding": "gzip" } });
    expect(answer.status).toBe(413);
  });

  it("compresses answers for those who take it, and gives others plain ones", async () => {
    const rows = Array.from({ length: 64 * 16 }, () => 1);
    const large = JSON.stringify({
      inputs: [input("INPUT0", rows, [64, 16]), input("INPUT1", rows, [64, 16])],
    });
    const ask = async (accept: string): Promise<Response> =>
      fetch(`${url()}${infer}`, { method: "POST", body: large, headers: { "accept-encoding": accept } });
    for (const coding of ["gzip", "deflate"]) {
      const answer = await ask(coding);
      expect(answer.headers.get("content-encoding")).toBe(coding);
      expect(await answer.json()).toMatchObject({ model_name: "simple" });
    }
    expect((await ask("identity")).headers.get("content-encoding")).toBeNull();
  });
}
