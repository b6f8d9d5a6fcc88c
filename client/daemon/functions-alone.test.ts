/** A daemon over functions alone, or over an edge that is not there, on real sockets. */
import { createServer, type IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import { checkValues } from "../../base/program/options.ts";
import { timedServer } from "../../test/support/timed-server.ts";
import { closers, listen } from "../../test/support/wired-targets.ts";
import { createV2Ingress } from "./ingress/v2.ts";
import { openDaemon } from "./open-daemon.ts";
import { daemonOptions } from "./options.ts";

const prices = fileURLToPath(new URL("../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url));
/** No server can listen there. */
const nowhere = "http://127.0.0.1:9";

type Line = Readonly<Record<string, unknown>> & { readonly msg: string };

async function startedDaemon(given: Readonly<Record<string, unknown>>) {
  const lines: Line[] = [];
  const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line) as Line) });
  const values = { prices, slo: 5, calibrate: 2, ...given };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), log);
  closers.push(() => daemon.close());
  await daemon.start(new AbortController().signal);
  const app = createV2Ingress(daemon, { maxBodyBytes: 1_000_000, onFault: () => {} });
  const get = async (path: string): Promise<unknown[]> => {
    const reply = await app.request(path);
    return [reply.status, await reply.json()];
  };
  const infer = async (model: string, width = 256): Promise<unknown> => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, width], data: Array<number>(width).fill(0) }];
    const reply = await app.request(`/v2/models/${model}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    const json = (await reply.json()) as { parameters?: { spillway_target?: string } };
    return reply.status === 200 ? json.parameters?.spillway_target : [reply.status, json];
  };
  const linesOf = (target: string): Line[] => lines.filter((line) => line["target"] === target);
  return { get, infer, linesOf, lines };
}

async function functionAt(): Promise<string> {
  const server = await timedServer({ serviceMs: () => 2, tellsService: true });
  closers.push(() => Promise.resolve(server.close()));
  return server.url;
}

/** A server of the model `open`, whose width is open; it takes widths up to 4 and counts what it was sent. */
async function openServer() {
  const shape = [-1, -1];
  const widths: unknown[] = [];
  const answerTo = async (request: IncomingMessage): Promise<[number, unknown]> => {
    const { url = "" } = request;
    const body = await buffer(request);
    if (url.endsWith("/index")) return [200, [{ name: "open" }]];
    if (url === "/v2") return [200, { extensions: [] }];
    if (url.endsWith("/config")) return [404, {}];
    if (!url.startsWith("/v2/models/open")) return [404, {}];
    if (!url.endsWith("/infer"))
      return [200, { name: "open", inputs: [{ name: "x", datatype: "FP32", shape }] }];
    const [x] = (JSON.parse(body.toString()) as { inputs: { shape: number[] }[] }).inputs;
    widths.push(x?.shape[1]);
    if ((x?.shape[1] ?? 0) > 4) return [400, { error: "too wide" }];
    return [200, { model_name: "open", outputs: [{ ...x, name: "y" }] }];
  };
  const url = await listen(
    createServer((request, response) => {
      void answerTo(request).then(([status, json]) => response.writeHead(status).end(JSON.stringify(json)));
    }),
  );
  return { url, widths };
}

it("measures, describes and serves with functions alone, and says so", async () => {
  const functions = `small=1x1024@${await functionAt()}`;
  const { get, infer, linesOf } = await startedDaemon({ edge: false, functions });
  expect(await infer("timed")).toBe("small");
  expect(await get("/v2/models/timed")).toMatchObject([200, { name: "timed" }]);
  expect(await get("/v2/models")).toEqual([200, { models: ["timed"] }]);
  expect(await get("/v2/health/ready")).toEqual([200, { ready: true }]);
  expect(await get("/admin/status")).toMatchObject([
    200,
    { isReady: true, targets: [{ name: "small", isReachable: true, measured: ["timed"], assumed: [] }] },
  ]);
  const said = ["measured", "target can be reached", "batch"];
  await vi.waitFor(() => expect(linesOf("small").map(({ msg }) => msg)).toEqual(said));
});

it("serves from functions at once where the edge was never there, and says of each target what is known", async () => {
  const functions = `small=1x1024@${await functionAt()}`;
  const { get, infer, linesOf } = await startedDaemon({ edge: nowhere, functions, calibrate: 0 });
  expect(linesOf("edge").map(({ msg, model }) => [msg, model])).toEqual([
    ["latencies are assumed, and learned from the first requests", "timed"],
    ["target cannot be reached", undefined],
  ]);
  expect(linesOf("edge").at(-1)).toMatchObject({
    why: expect.stringContaining("ECONNREFUSED"),
    assumed: ["timed"],
  });
  expect(linesOf("small").at(-1)).toMatchObject({ msg: "target can be reached", models: ["timed"] });
  expect(await get("/v2/health/ready")).toEqual([200, { ready: true }]);
  expect(await get("/v2/models/timed/ready")).toEqual([200, { name: "timed", ready: true }]);
  expect(await infer("timed")).toBe("small");
});

it("is not ready, and says why, while no target can be reached", async () => {
  const { get } = await startedDaemon({ edge: nowhere, serverless: false, calibrate: 0 });
  const reason = expect.stringMatching(/^edge: .*ECONNREFUSED/);
  expect(await get("/v2/health/ready")).toEqual([503, { ready: false, reason }]);
});

it("measures a model that leaves dimensions open at a size that the server takes", async () => {
  const { url, widths } = await openServer();
  const { linesOf } = await startedDaemon({ edge: url, serverless: false });
  expect(linesOf("edge").map(({ msg }) => msg)).toEqual(["measured", "target can be reached"]);
  expect(new Set(widths)).toEqual(new Set([8, 4]));
});

it("measures a model in the shape that the user gives", async () => {
  const { url, widths } = await openServer();
  const models = "open=x:FP32[1,3]";
  const { linesOf } = await startedDaemon({ edge: url, serverless: false, models });
  expect(linesOf("edge").map(({ msg }) => msg)).toEqual(["measured", "target can be reached"]);
  expect(new Set(widths)).toEqual(new Set([3]));
});

it("says once that no target has a model that the user names", async () => {
  const functions = `small=1x1024@${(await openServer()).url}`;
  const { lines, infer } = await startedDaemon({ edge: false, functions, models: "nosuch" });
  const why = 'no model "nosuch"; there are: open';
  expect(lines.filter(({ model }) => model === "nosuch")).toMatchObject([
    { msg: "not measured: no target describes it", why },
  ]);
  expect(await infer("nosuch")).toEqual([404, { error: why }]);
});

it("is measured and answers although the edge lacks a model that a function has", async () => {
  const [edge, functions] = [(await openServer()).url, `small=1x1024@${await functionAt()}`];
  const { infer, get } = await startedDaemon({ edge, functions, calibrate: 0 });
  expect(await infer("timed")).toBe("small");
  expect(await get("/v2/models/timed/ready")).toEqual([200, { name: "timed", ready: true }]);
});

it("starts at once when it is to stop while a function does not say what it has", async () => {
  const functions = `small=1x1024@${await listen(createServer(() => {}))}`;
  const values = { prices, edge: false, functions };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), pino({ level: "silent" }));
  closers.push(() => daemon.close());
  const stop = new AbortController();
  const started = daemon.start(stop.signal);
  stop.abort();
  await started;
});
