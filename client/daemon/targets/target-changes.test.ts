/** Edges of a daemon that come, go and change their models, over real sockets. */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";
import { pino } from "pino";
import { expect, it } from "vitest";
import { checkValues } from "../../../base/program/options.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../protocol/tensor.ts";
import { type DoublingServer, doublingServer } from "../../../test/support/doubling-server.ts";
import { closers } from "../../../test/support/wired-targets.ts";
import type { Daemon } from "../daemon.ts";
import { createV2Ingress } from "../ingress/v2.ts";
import { openDaemon } from "../open-daemon.ts";
import { daemonOptions } from "../options.ts";
import { checkRecord } from "../../../replay/records/check-record.ts";
import { parseRecord } from "../../../replay/records/recorded-run.ts";
import { followList } from "./follow-file.ts";
import type { ListedTarget, TargetChanges } from "./target-changes.ts";

const prices = fileURLToPath(new URL("../../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url));
const path = "/admin/targets";

async function server(...given: Parameters<typeof doublingServer>): Promise<DoublingServer> {
  const started = await doublingServer(...given);
  closers.push(() => Promise.resolve(started.close()));
  return started;
}

interface Started {
  readonly app: Hono;
  readonly daemon: Daemon;
  readonly targets: TargetChanges;
}

async function started(edge: readonly string[], given: object = {}): Promise<Started> {
  const values = { edge, serverless: false, prices, slo: 60, calibrate: 1, ...given };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), pino({ level: "silent" }));
  closers.push(() => daemon.close());
  await daemon.start(new AbortController().signal, 8_123);
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  return { app, daemon, targets: daemon.targets as TargetChanges };
}

/** Asks the daemon to double a value. Resolves with the target that did; rejects when the answer is wrong. */
async function doubled(daemon: Daemon, value: number, model = "double"): Promise<string> {
  const name = await daemon.findModel(model);
  const request = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [value])] };
  const { answer, target } = await daemon.submit(
    { model: name, request, bytes: 4 },
    new AbortController().signal,
  );
  const [y] = answer.outputs;
  expect(y && Array.from(tensorToNumbers(y))).toEqual([2 * value]);
  return target;
}

const serving = async (targets: TargetChanges, ...names: readonly string[]): Promise<void> => {
  const told = (): readonly string[] =>
    targets.listed().flatMap(({ name, state }) => (state === "serving" ? [name] : [`${name} ${state}`]));
  await expect.poll(told).toEqual(names);
};

it("adds an edge once it is measured, and removes one while it is busy without losing what waits", async () => {
  const [near, far] = [await server({ serviceMs: () => 30 }), await server({ serviceMs: () => 30 })];
  const { app, daemon, targets } = await started([near.url]);
  const added = await app.request(path, { method: "POST", body: JSON.stringify({ url: far.url }) });
  expect([added.status, await added.json()]).toEqual([
    202,
    { name: "edge-1", kind: "edge", url: far.url, state: "measuring", source: "request" },
  ]);
  await serving(targets, "edge", "edge-1");
  const measured = far.batches.length;
  expect(measured).toBeGreaterThan(0);
  const answers = Array.from({ length: 200 }, (_, value) => doubled(daemon, value));
  await expect.poll(() => far.batches.length).toBeGreaterThan(measured);
  const removed = await app.request(`${path}/edge-1`, { method: "DELETE" });
  expect([removed.status, ((await removed.json()) as ListedTarget).state]).toEqual([202, "leaving"]);
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["edge", "edge-1"]));
  await serving(targets, "edge");
  expect(await doubled(daemon, 1)).toBe("edge");
  // Its name and its address are free again.
  targets.add({ name: "edge-1", url: far.url }, "request");
  await serving(targets, "edge", "edge-1");
});

it("adds an edge that does not answer as unhealthy, and uses it when it does", async () => {
  const [near, late] = [await server({ serviceMs: () => 2 }), await server({ serviceMs: () => 2 })];
  late.close();
  const { daemon, targets } = await started([near.url]);
  targets.add({ name: "late", url: late.url }, "request");
  await serving(targets, "edge", "late");
  const told = targets.listed().find(({ name }) => name === "late");
  expect(told?.health).not.toBe("healthy");
  expect(told?.why ?? "").toMatch(/ECONNREFUSED|^$/);
  for (let value = 0; value < 20; value++) await doubled(daemon, value);
});

it.each([
  ["a text that is no JSON", "{", 400, /^the body is not valid JSON/],
  ["JSON that is no object", "[]", 400, /^the body is an array/],
  ["no address", "{}", 400, "url is missing; allowed: a text"],
  ["an address of another type", '{"url":5}', 400, "url is 5; allowed: a text"],
  ["another key", '{"url":"a.b","uri":"a.b"}', 400, 'the body has "uri"; allowed: url, name'],
  ["no URL", '{"url":"somewhere"}', 400, /^url is "somewhere"; allowed: an http\(s\) URL/],
  ["the queue itself", '{"url":"localhost:8123"}', 400, /^url is http:\/\/localhost:8123, the queue itself/],
  ["no name", '{"url":"a.b","name":"a b"}', 400, /^name is "a b"; allowed: up to 64 letters/],
  ["a name that is there", '{"url":"a.b","name":"edge"}', 409, /^there is a target edge already/],
])("refuses a body with %s in one line", async (_, body, status, error) => {
  const near = await server({ serviceMs: () => 2 });
  const { app, targets } = await started([near.url], { calibrate: 0 });
  const reply = await app.request(path, { method: "POST", body });
  expect(reply.status).toBe(status);
  const told = (await reply.json()) as { error: string };
  if (typeof error === "string") expect(told.error).toBe(error);
  else expect(told.error).toMatch(error);
  expect(told.error).not.toContain("\n");
  expect(targets.listed().length).toBe(1);
});

it("refuses to remove what is not there, a function, and the last target, and other methods", async () => {
  const [near, fn] = [await server({ serviceMs: () => 2 }), await server({ serviceMs: () => 2 })];
  const functions = `f=1x1024@${fn.url}`;
  const one = await started([near.url], { calibrate: 0 });
  const two = await started([near.url], { calibrate: 0, serverless: true, functions });
  const told = async (app: Hono, name: string, method = "DELETE"): Promise<unknown[]> => {
    const reply = await app.request(`${path}/${name}`, { method });
    return [reply.status, ((await reply.json()) as { error: string }).error];
  };
  expect(await told(one.app, "edge-9")).toEqual([404, 'no edge "edge-9"; there are: edge']);
  expect(await told(one.app, "edge")).toEqual([409, "edge is the only target; add another one first"]);
  expect(await told(two.app, "f")).toEqual([400, "f is a function; allowed: an edge, of edge"]);
  expect(await told(one.app, "edge", "PUT")).toEqual([
    405,
    "PUT /admin/targets/edge is not allowed; allowed: DELETE",
  ]);
  const many = await one.app.request(path, { method: "POST", body: `{"url":"${near.url}"}` });
  expect([many.status, await many.json()]).toEqual([
    409,
    { error: `edge is at ${near.url} already; allowed: each server once` },
  ]);
});

it("takes no changes before it has measured its first targets", async () => {
  const near = await server({ serviceMs: () => 2 });
  const options = checkValues(daemonOptions, { edge: near.url, serverless: false, prices }, {});
  const daemon = openDaemon(options, pino({ level: "silent" }));
  closers.push(() => daemon.close());
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  const reply = await app.request(path, { method: "POST", body: '{"url":"a.b"}' });
  expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, "5"]);
});

it("has at most 64 edges", async () => {
  const near = await server({ serviceMs: () => 2 });
  const { targets } = await started([near.url], { calibrate: 0 });
  for (let nth = 1; nth < 64; nth++) targets.add({ url: `127.0.0.1:${20_000 + nth}` }, "request");
  expect(() => targets.add({ url: "127.0.0.1:1" }, "request")).toThrow(
    "there are 64 edges; allowed: at most 64",
  );
});

it("sends requests for a model only to edges that list it, and notices within seconds when that changes", async () => {
  const both = await server({ serviceMs: () => 2, models: ["double", "twice"] });
  const one = await server({ serviceMs: () => 2, kind: "triton", models: ["double"] });
  const { daemon } = await started([`both=${both.url}`, `one=${one.url}`], { policy: "fixed", edgeBatch: 1 });
  const servedBy = async (model: string): Promise<string[]> => {
    const by = new Set<string>();
    for (let value = 0; value < 6; value++) by.add(await doubled(daemon, value, model));
    return [...by].sort();
  };
  expect([await servedBy("double"), await servedBy("twice")]).toEqual([["both", "one"], ["both"]]);
  expect([both.strays, one.strays]).toEqual([0, 0]);
  one.models = ["double", "twice"];
  await expect.poll(() => servedBy("twice")).toEqual(["both", "one"]);
  // A model that goes is served elsewhere, also before the queue has noticed it.
  both.models = ["double"];
  for (let value = 0; value < 6; value++) await doubled(daemon, value, "twice");
  const straysOf = async (): Promise<number> => {
    const before = both.strays;
    expect(await servedBy("twice")).toEqual(["one"]);
    return both.strays - before;
  };
  await expect.poll(straysOf).toBe(0);
});

it("sends nothing for a model to an edge that is left to other daemons, and tells so, until it is not", async () => {
  const [near, far] = [await server({ serviceMs: () => 2 }), await server({ serviceMs: () => 2 })];
  const edges = [`near=${near.url}`, `far=${far.url}`];
  const { daemon, targets } = await started(edges, { policy: "fixed", edgeBatch: 1 });
  const askedAll = (): Promise<string[]> =>
    Promise.all(Array.from({ length: 20 }, (_, value) => doubled(daemon, value)));
  targets.leave(({ name }, model) => name === "near" && model === "double");
  expect(new Set(await askedAll())).toEqual(new Set(["far"]));
  expect(targets.listed().map(({ leftToOthers }) => leftToOthers)).toEqual([["double"], undefined]);
  targets.leave(() => false);
  await expect.poll(async () => new Set(await askedAll())).toEqual(new Set(["far", "near"]));
  expect(targets.listed().map(({ leftToOthers }) => leftToOthers)).toEqual([undefined, undefined]);
});

it("measures a model that an edge lists later, at that edge alone, and the record replays with it", async () => {
  const record = join(mkdtempSync(join(tmpdir(), "spillway-models-")), "r.ndjson");
  const near = await server({ serviceMs: () => 2 });
  const fn = await server({ serviceMs: () => 2, models: ["double", "fresh"] });
  const given = { serverless: true, functions: `f=1x1024@${fn.url}`, record };
  const { app, daemon } = await started([near.url], given);
  const calledBefore = fn.batches.length;
  near.models = ["double", "fresh"];
  const measured = async (): Promise<readonly string[]> => {
    const status = (await (await app.request("/admin/status")).json()) as {
      targets: { name: string; measured: string[] }[];
    };
    return status.targets.find(({ name }) => name === "edge")?.measured.toSorted() ?? [];
  };
  await expect.poll(measured).toEqual(["double", "fresh"]);
  expect(fn.batches.length).toBe(calledBefore);
  expect(await doubled(daemon, 3, "fresh")).toBe("edge");
  // It is measured once, also when it goes and comes back.
  near.models = ["double"];
  await expect.poll(() => daemon.targets?.listed()[0]?.models).toEqual(["double"]);
  const batches = near.batches.length;
  near.models = ["double", "fresh"];
  await expect.poll(() => daemon.targets?.listed()[0]?.models).toEqual(["double", "fresh"]);
  expect(near.batches.length).toBe(batches);
  await daemon.close();
  const recorded = parseRecord(readFileSync(record, "utf8"), record);
  const told = recorded.inputs.flatMap((input) => (input.kind === "target-models" ? [input.measured] : []));
  expect(told.filter((each) => each !== undefined).map((each) => Object.keys(each))).toEqual([["fresh"]]);
  expect(checkRecord(recorded, []).difference).toBeUndefined();
});

it.each([
  ["with --calibrate 0", { calibrate: 0 }],
  ["that --models does not name", { models: "double" }],
  ["under the policy fixed", { policy: "fixed", calibrate: 0 }],
])("measures no new model %s", async (_, given) => {
  const near = await server({ serviceMs: () => 2 });
  const { daemon } = await started([near.url], given);
  const before = near.batches.length;
  near.models = ["double", "fresh"];
  await expect.poll(() => daemon.targets?.listed()[0]?.models).toEqual(["double", "fresh"]);
  expect(await doubled(daemon, 3, "fresh")).toBe("edge");
  expect(near.batches.length).toBe(before + 1);
});

it("sends requests for a model that no edge lists to a function that has it", async () => {
  const near = await server({ serviceMs: () => 2 });
  const fn = await server({ serviceMs: () => 2, models: ["double", "rare"] });
  const given = { serverless: true, functions: `f=1x1024@${fn.url}` };
  const { daemon } = await started([near.url], given);
  expect(await doubled(daemon, 3, "rare")).toBe("f");
  expect(near.strays).toBe(0);
  await expect(daemon.findModel("nowhere")).rejects.toMatchObject({ code: "model_not_found" });
});

it("sends to an edge that lists nothing of a model but serves it when it is asked", async () => {
  const near = await server({ serviceMs: () => 2, models: ["double", "unlisted"] });
  near.hidden = ["unlisted"];
  const { daemon } = await started([near.url]);
  expect(await doubled(daemon, 4, "unlisted")).toBe("edge");
});

it.each(["ours", "triton", "plain"] as const)(
  "uses a slow edge that answers as %s does when the fast one is full",
  async (kind) => {
    const fast = await server({ serviceMs: (rows) => 10 + 5 * rows });
    const slow = await server({ serviceMs: (rows) => 40 + 20 * rows, kind });
    const { daemon } = await started([`fast=${fast.url}`, `slow=${slow.url}`], { slo: 60, calibrate: 3 });
    const by = await Promise.all(Array.from({ length: 240 }, (_, value) => doubled(daemon, value)));
    // How many go where is a matter of time, which the tests of the policy have in their hands.
    expect(new Set(by)).toEqual(new Set(["fast", "slow"]));
  },
);

it("makes the edges those of a list: anew, gone, moved and renamed ones, and leaves those added on request", async () => {
  const [a, b, c, own] = await Promise.all(Array.from({ length: 4 }, () => server({ serviceMs: () => 2 })));
  const urls = [a, b, c, own].map((each) => each?.url as string);
  const { daemon, targets } = await started([`a=${urls[0]}`]);
  targets.add({ name: "own", url: urls[3] as string }, "request");
  followList(targets, [`a=${urls[0]}`, urls[1] as string]);
  await serving(targets, "a", "own", "edge-1");
  // The address of one changes, the name of the other.
  followList(targets, [`a=${urls[2]}`, `b=${urls[1]}`]);
  await serving(targets, "own", "a", "b");
  expect(targets.listed().map(({ name, url }) => [name, url])).toEqual([
    ["own", urls[3]],
    ["a", urls[2]],
    ["b", urls[1]],
  ]);
  followList(targets, []);
  await serving(targets, "own");
  await doubled(daemon, 1);
});

it("replaces the only edge once the new one was measured", async () => {
  const [a, b] = [await server({ serviceMs: () => 2 }), await server({ serviceMs: () => 2 })];
  const { daemon, targets } = await started([a.url]);
  followList(targets, [`b=${b.url}`]);
  const by = new Set<string>();
  await expect.poll(async () => by.add(await doubled(daemon, by.size)).has("b")).toBe(true);
  await serving(targets, "b");
});

it.each([
  [["a=http://h:1", "a=http://h:2"], "edge: a is there twice; allowed: each name and URL once"],
  [["http://h:1", "b=http://h:1"], "edge: http://h:1 is there twice; allowed: each name and URL once"],
  [["http://127.0.0.1:8123"], /^edge: url is http:\/\/127.0.0.1:8123, the queue itself/],
  [[], "edge: no target would be left; allowed: at least one edge or function"],
  [
    Array.from({ length: 70 }, (_, nth) => `http://h:${nth + 1}`),
    "edge: there would be more than 64 targets; allowed: no more",
  ],
])("changes nothing for a list that cannot be used: %s", async (list, error) => {
  const near = await server({ serviceMs: () => 2 });
  const { targets } = await started([near.url], { calibrate: 0 });
  expect(() => followList(targets, list)).toThrow(error);
  await serving(targets, "edge");
});

it("keeps a record that replays through all of this", async () => {
  const record = join(mkdtempSync(join(tmpdir(), "spillway-targets-")), "r.ndjson");
  const [a, b] = [await server({ serviceMs: () => 10 }), await server({ serviceMs: () => 25 })];
  const { daemon, targets } = await started([a.url], { record });
  const answers: Promise<string>[] = [];
  const send = (): void => {
    for (let value = 0; value < 40; value++) answers.push(doubled(daemon, value));
  };
  send();
  targets.add({ name: "b", url: b.url }, "request");
  await serving(targets, "edge", "b");
  send();
  targets.remove("edge");
  send();
  await Promise.all(answers);
  await daemon.close();
  const { difference, summary } = checkRecord(parseRecord(readFileSync(record, "utf8"), record), []);
  expect(difference).toBeUndefined();
  expect(summary.requests).toMatchObject({ arrived: 120, served: 120 });
});
