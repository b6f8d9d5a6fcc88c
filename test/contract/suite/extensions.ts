/** The extensions that say how a model is configured, what it was asked, which models there are and what is urgent. */
import { expect, it } from "vitest";
import { type Call } from "../v2-caller.ts";
import { infer, input, simple } from "./simple-request.ts";

export function configuration(call: Call): void {
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

export function statistics(call: Call): void {
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

export function repository(call: Call): void {
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

export function schedulePolicy(call: Call): void {
  it("takes priority and timeout, and refuses those outside their ranges", async () => {
    const status = async (parameters: object): Promise<number> =>
      (await call(infer, { ...simple, parameters })).status;
    expect(await status({ priority: 1, timeout: 5_000_000 })).toBe(200);
    expect(await status({ priority: 0 })).toBe(200);
    expect(await status({ priority: -1 })).toBe(400);
    expect(await status({ timeout: "soon" })).toBe(400);
  });
}

/** An extension of ours: a request that the model answers, for whoever wants to measure it. */
export function exampleRequests(call: Call): void {
  it.each(["simple", "identity", "text"])("names a request that %s answers", async (model) => {
    const { status, json } = await call(`/v2/models/${model}/example?form=json`);
    expect(status).toBe(200);
    const answer = await call(`/v2/models/${model}/infer`, json);
    expect(answer).toMatchObject({ status: 200, json: { model_name: model } });
  });

  it("has no example of a model that it does not know", async () => {
    expect((await call("/v2/models/nosuch/example")).status).toBe(404);
  });
}
