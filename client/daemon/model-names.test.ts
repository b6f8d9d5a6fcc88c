/** Names of models and versions, and models that are new or that no list has. */
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import type { HttpReply } from "../transports/http-transport.ts";
import { BilledMetadata } from "./billed-metadata.ts";
import { ModelDirectory } from "./model-directory.ts";
import { ModelNames } from "./model-names.ts";

interface TestServer {
  isUp: boolean;
  /** What its index answers; undefined: it has none. */
  index: unknown;
  /** What `GET /v2/models` answers; undefined: 404. */
  names?: unknown;
  /** Metadata by path below `/v2/models/`. */
  readonly models: Record<string, unknown>;
}

function namesOver(given: Partial<TestServer>) {
  const server: TestServer = { isUp: true, index: undefined, models: {}, ...given };
  const now = { ms: 0 };
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const answer = async (path: string, json: unknown): Promise<HttpReply> => {
    asked.push(path);
    await new Promise<void>((resolve) => waiting.push(resolve));
    if (!server.isUp) throw new SpillwayError("target_unreachable", "away");
    return {
      status: json === undefined ? 404 : 200,
      body: new TextEncoder().encode(JSON.stringify(json ?? {})),
    };
  };
  const edge = {
    get: (path: string) => {
      const model = path.replace("/v2/models/", "");
      return answer(path, path === "/v2/models" ? server.names : server.models[model]);
    },
    post: (path: string, _: number, body?: object) => answer(`${path} ${JSON.stringify(body)}`, server.index),
  };
  const directory = new ModelDirectory([edge], new BilledMetadata([], () => 0), () => now.ms);
  /** Lets everything be answered until a promise has ended. */
  const answered = async <T>(promise: Promise<T>): Promise<T> => {
    const state = { isOver: false };
    const end = promise.finally(() => (state.isOver = true));
    end.catch(() => {});
    while (!state.isOver) {
      for (const resolve of waiting.splice(0)) resolve();
      await new Promise(setImmediate);
    }
    return end;
  };
  return { server, now, asked, waiting, directory, names: new ModelNames(directory), answered };
}

const entry = (name: string, version?: string, state = "READY"): object => ({ name, version, state });
const index = '/v2/repository/index {"ready":false}';

it("asks once for all who wait for a new model while the list is asked for", async () => {
  const { server, now, asked, names, directory, answered } = namesOver({ index: [entry("a")] });
  await answered(directory.list());
  server.index = [entry("a"), entry("new")];
  now.ms = 6_000;
  const all = Array.from({ length: 6 }, () => names.resolve("new"));
  now.ms = 6_400;
  all.push(names.resolve("new"));
  expect(await answered(Promise.all(all))).toEqual(Array(7).fill("new"));
  expect(asked).toEqual([index, index]);
});

it("asks for the model itself before it says that there is none", async () => {
  const { server, asked, names, directory, answered } = namesOver({
    index: [entry("a")],
    models: { hidden: { name: "hidden" } },
  });
  await answered(directory.list());
  expect(await answered(names.resolve("hidden"))).toBe("hidden");
  const missing = Array.from({ length: 3 }, () => names.resolve("missing"));
  const ends = await answered(Promise.allSettled(missing));
  const reason = expect.objectContaining({ message: 'no model "missing"; there are: a' });
  expect(ends).toEqual(missing.map(() => ({ status: "rejected", reason })));
  expect(asked).toEqual([index, "/v2/models/hidden", "/v2/models/missing"]);
  server.models["missing"] = { versions: ["1"] };
  expect(await answered(names.resolve("missing"))).toBe("missing");
  server.isUp = false;
  await expect(answered(names.resolve("other"))).rejects.toMatchObject({ code: "model_not_found" });
});

it("understands indexes of other servers", async () => {
  const states = async (given: Partial<TestServer>): Promise<Record<string, string | undefined>> => {
    const { directory, answered } = namesOver(given);
    const listed = (await answered(directory.list())) ?? [];
    return Object.fromEntries(listed.map((name) => [name, directory.stateOf(name)]));
  };
  expect(await states({ index: [{ name: "a", state: null, version: null, reason: null }] })).toEqual({
    a: "READY",
  });
  expect(await states({ index: [{ name: "a", state: "Ready" }, null, {}, { name: "" }] })).toEqual({
    a: "READY",
  });
  expect(await states({ index: [entry("a", "1"), entry("a", "2", "UNAVAILABLE")] })).toEqual({ a: "READY" });
  expect(await states({ index: { models: ["a", "b"] } })).toEqual({ a: "READY", b: "READY" });
  expect(await states({ names: { models: ["a"] } })).toEqual({ a: "READY" });
  expect(await states({ index: "<html>", names: { models: [{ name: "a" }] } })).toEqual({ a: "READY" });
});

it("queues the only version of a model with the model, and one of several by itself", async () => {
  const { server, names, directory, answered } = namesOver({
    index: [entry("one"), entry("two")],
    models: {
      one: { versions: ["3"] },
      "one/versions/3": { versions: ["3"] },
      two: { versions: ["1", "2"] },
      "two/versions/1": { versions: ["1"] },
      silent: {},
      "silent/versions/5": {},
    },
  });
  await answered(directory.list());
  const resolved = (model: string, version: string) => answered(names.resolve(model, version));
  expect(await resolved("one", "3")).toBe("one");
  expect(await resolved("two", "1")).toBe("two/versions/1");
  expect(await resolved("silent", "5")).toBe("silent/versions/5");
  await expect(resolved("two", "9")).rejects.toMatchObject({
    code: "model_not_found",
    message: 'no version "9" of model "two"; there is: 1, 2',
  });
  server.models["two/versions/9"] = { versions: ["9"] };
  expect(await resolved("two", "9")).toBe("two/versions/9");
  expect([names.versionOf("two"), names.versionOf("two/versions/1"), names.versionOf("none")]).toEqual([
    "2",
    "1",
    undefined,
  ]);
});

it("answers for the only model, else for the one that its edge calls the default", async () => {
  const only = namesOver({ index: [entry("a")] });
  expect(await only.answered(only.names.defaultModel())).toBe("a");
  const several = namesOver({
    index: [entry("a"), entry("b")],
    models: { a: {}, b: { parameters: { default: true } } },
  });
  expect(await several.answered(several.names.defaultModel())).toBe("b");
  const none = namesOver({ index: [entry("a"), entry("b")], models: { a: {}, b: {} } });
  await expect(none.answered(none.names.defaultModel())).rejects.toMatchObject({
    code: "model_not_found",
    message: /no default model.*there are: a, b/,
  });
});
