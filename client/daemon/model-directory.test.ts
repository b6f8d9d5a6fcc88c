/** What is known of models with several edges; `ingress/v2.test.ts` has what is known with one. */
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import type { HttpReply } from "../transports/http-transport.ts";
import { BilledMetadata } from "./billed-metadata.ts";
import { ModelDirectory } from "./model-directory.ts";

interface TestEdge {
  isUp: boolean;
  /** The state of each model; undefined: a server that lists none. */
  models: Record<string, string> | undefined;
}

/** A function that has no model. */
const ofNone = { get: () => Promise.resolve({ status: 404, body: new Uint8Array() }) };

function directoryOf(...all: (TestEdge | typeof ofNone)[]) {
  const edges = all.filter((each): each is TestEdge => "isUp" in each);
  const functions = all.filter((each): each is typeof ofNone => "get" in each);
  const now = { ms: 0 };
  const transports = edges.map((edge, index) => {
    const answer = (status: number, value: unknown): Promise<HttpReply> => {
      if (!edge.isUp) return Promise.reject(new SpillwayError("target_unreachable"));
      return Promise.resolve({ status, body: new TextEncoder().encode(JSON.stringify(value)) });
    };
    return {
      get: (path: string) => {
        const [, , , model = "", ready] = path.split("/");
        const state = edge.models?.[model];
        if (state === undefined) return answer(404, { error: "no" });
        if (ready === undefined) return answer(200, { edge: index + 1 });
        return answer(state === "READY" ? 200 : 503, {});
      },
      post: () => {
        if (edge.models === undefined) return answer(404, {});
        return answer(
          200,
          Object.entries(edge.models).map(([name, state]) => ({ name, state })),
        );
      },
    };
  });
  const directory = new ModelDirectory(transports, new BilledMetadata(functions, () => now.ms), () => now.ms);
  const describedBy = async (model: string): Promise<unknown> => {
    const { status, body } = await directory.describe(model);
    return status === 200 ? JSON.parse(new TextDecoder().decode(body)) : status;
  };
  return { directory, now, describedBy };
}

const up = (...models: string[]): TestEdge => {
  return { isUp: true, models: Object.fromEntries(models.map((name) => [name, "READY"])) };
};

it("has the models of all edges, each ready when some edge has it ready", async () => {
  const loading: TestEdge = { isUp: true, models: { a: "UNAVAILABLE", c: "UNAVAILABLE" } };
  const { directory } = directoryOf(loading, up("a", "b"));
  expect(await directory.list()).toEqual(["a", "c", "b"]);
  expect(["a", "b", "c", "d"].map((model) => directory.stateOf(model))).toEqual([
    "READY",
    "READY",
    "UNAVAILABLE",
    undefined,
  ]);
  expect(await directory.isReadyAt("a")).toBe(true);
  expect(await directory.isReadyAt("c")).toBe(false);
  await expect(directory.isReadyAt("d")).rejects.toMatchObject({ code: "model_not_found" });
});

it("keeps what an edge listed while that one is away", async () => {
  const second = up("b");
  const { directory } = directoryOf(up("a"), second);
  await directory.list();
  second.isUp = false;
  second.models = {};
  expect(await directory.list()).toEqual(["a", "b"]);
  expect(await directory.isReadyAt("b")).toBeUndefined();
});

it("lacks a model only once every edge has listed its own", async () => {
  const second: TestEdge = { ...up("b"), isUp: false };
  const { directory, now } = directoryOf(up("a"), second);
  await directory.list();
  expect([await directory.lacks("a"), await directory.lacks("b")]).toEqual([false, false]);
  second.isUp = true;
  now.ms = 6_000;
  await directory.list();
  expect([await directory.lacks("b"), await directory.lacks("c")]).toEqual([false, true]);
});

it("lists nothing when no edge does, and fails only when none can be reached", async () => {
  const silent: TestEdge = { isUp: true, models: undefined };
  const gone: TestEdge = { isUp: false, models: undefined };
  expect(await directoryOf(gone, silent).directory.list()).toBeUndefined();
  await expect(directoryOf(gone, gone).directory.list()).rejects.toMatchObject({
    code: "target_unreachable",
  });
});

it("describes a model as the first edge that has it does", async () => {
  const first = up("a");
  const { directory, describedBy } = directoryOf(first, up("a", "b"));
  expect(await describedBy("a")).toEqual({ edge: 1 });
  expect(await describedBy("b")).toEqual({ edge: 2 });
  expect(await describedBy("c")).toBe(404);
  const each = await directory.eachOf("b");
  expect(each.map((reply) => reply?.status)).toEqual([404, 200]);
  first.isUp = false;
  expect(await describedBy("a")).toEqual({ edge: 2 });
});

it("describes a model as it was when its only edge is away", async () => {
  const second = up("b");
  const { describedBy } = directoryOf(up("a"), second);
  await describedBy("b");
  second.isUp = false;
  expect(await describedBy("b")).toEqual({ edge: 2 });
  expect(await describedBy("c")).toBe(404);
});

/** A directory without edges, over functions that have these models, each with inputs of that shape. */
function ofFunctions(...functions: Readonly<Record<string, number[]>>[]) {
  const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const asked: string[] = [];
  const servers = functions.map((models) => {
    return {
      get: (path: string): Promise<HttpReply> => {
        asked.push(path);
        if (path === "/v2/models")
          return Promise.resolve({ status: 200, body: bytes({ models: Object.keys(models) }) });
        const shape = models[path.split("/")[3] ?? ""];
        if (shape === undefined) return Promise.resolve({ status: 404, body: bytes({ error: "no" }) });
        return Promise.resolve({
          status: 200,
          body: bytes({ inputs: [{ name: "x", datatype: "FP32", shape }] }),
        });
      },
    };
  });
  return { asked, directory: new ModelDirectory([], new BilledMetadata(servers, () => 0), () => 0) };
}

it("knows models from functions alone, and asks them once", async () => {
  const { asked, directory } = ofFunctions({ a: [-1, 2] }, { a: [-1, 2], b: [-1, 3] });
  for (let time = 0; time < 3; time++) {
    expect(await directory.list()).toEqual(["a", "b"]);
    expect([await directory.lacks("b"), await directory.lacks("c")]).toEqual([false, true]);
    expect((await directory.describe("b")).status).toBe(200);
    await expect(directory.describe("c")).rejects.toMatchObject({ code: "model_not_found" });
    expect(await directory.isReadyAt("b")).toBe(true);
    await expect(directory.isReadyAt("c")).rejects.toMatchObject({ code: "model_not_found" });
  }
  expect(asked).toHaveLength(6);
});

it("knows that targets describe a model differently once both have described it", async () => {
  const { directory } = ofFunctions({ a: [-1, 2], same: [-1, 4] }, { a: [-1, 3], same: [-1, 4] });
  expect(directory.isAlikeEverywhere("a")).toBe(true);
  await Promise.all([directory.askFunctions("a"), directory.askFunctions("same")]);
  expect([directory.isAlikeEverywhere("a"), directory.isAlikeEverywhere("same")]).toEqual([false, true]);
});

it("lacks a model that edges without a list do not describe, where functions lack it as well", async () => {
  const silent: TestEdge = { isUp: true, models: undefined };
  const { directory } = directoryOf(silent, ofNone);
  expect([await directory.lacks("a"), await directory.lacks("a")]).toEqual([true, true]);
  silent.isUp = false;
  await expect(directory.lacks("b")).rejects.toMatchObject({ code: "target_unreachable" });
});
