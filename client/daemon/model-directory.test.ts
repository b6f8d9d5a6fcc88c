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

function directoryOf(...edges: TestEdge[]) {
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
  const directory = new ModelDirectory(transports, new BilledMetadata([], () => now.ms), () => now.ms);
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
