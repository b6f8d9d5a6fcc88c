/** A daemon before servers whose answers make no sense: it starts, and says so of each request. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import type { Hono } from "hono";
import { pino } from "pino";
import { expect, it } from "vitest";
import { checkValues } from "../../base/program/options.ts";
import { headerLength } from "../../protocol/v2-http.ts";
import { closers, listen } from "../../test/support/wired-targets.ts";
import { createV2Ingress } from "./ingress/v2.ts";
import { openDaemon } from "./open-daemon.ts";
import { daemonOptions } from "./options.ts";

const prices = fileURLToPath(new URL("../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url));

/** Servers of random answers; each costs up to one SLO. */
const numRuns = 20;

interface StrangeAnswer {
  readonly status?: number;
  readonly body: string | Uint8Array;
  readonly header?: string | undefined;
  /** The connection is reset in place of an answer. */
  readonly isReset?: boolean;
}

/** What is asked of a server: `infer`, `index`, `model` and so on. */
type What = "infer" | "index" | "server" | "config" | "ready" | "model";

function askedFor({ url = "" }: IncomingMessage): What {
  if (url.endsWith("/infer")) return "infer";
  if (url.endsWith("/index")) return "index";
  if (url === "/v2") return "server";
  if (url.endsWith("/config")) return "config";
  return url.endsWith("/ready") ? "ready" : "model";
}

const metadata = { name: "m", inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }] };
const sound: Readonly<Record<What, unknown>> = {
  infer: { model_name: "m", outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [1] }] },
  index: [{ name: "m", version: "1", state: "READY" }],
  server: { name: "s", version: "1", extensions: ["binary_tensor_data"] },
  config: { max_batch_size: 0 },
  ready: {},
  model: metadata,
};
const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });

/** The daemon before a server that answers so, its warnings, and how it answers one request. */
async function servedBy(answers: Partial<Record<What, StrangeAnswer>>, calibrate = 0.5) {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const what = askedFor(request);
    const given = answers[what] ?? { body: JSON.stringify(sound[what]) };
    if (given.isReset === true) return void request.socket.destroy();
    request.resume();
    const header = given.header === undefined ? {} : { [headerLength]: given.header };
    response.writeHead(given.status ?? 200, header).end(given.body);
  };
  const url = await listen(createServer(serve));
  const warnings: { msg: string; why?: string }[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void warnings.push(JSON.parse(line)) });
  const values = { edge: url, serverless: false, prices, slo: 0.3, calibrate };
  const daemon = openDaemon(checkValues(daemonOptions, values, {}), log);
  closers.push(() => daemon.close());
  await daemon.start(new AbortController().signal);
  const faults: Error[] = [];
  const app = createV2Ingress(daemon, { maxBodyBytes: 100_000, onFault: (error) => void faults.push(error) });
  return { app, warnings, faults };
}

async function inferAt(app: Hono): Promise<{ status: number; json: unknown }> {
  const reply = await app.request("/v2/models/m/infer", { method: "POST", body });
  return { status: reply.status, json: await reply.json() };
}

const output = { name: "y", datatype: "FP32", shape: [1, 1] };
const answered = (json: object, data = new Uint8Array(4)): StrangeAnswer => {
  const text = JSON.stringify(json);
  return { body: Buffer.concat([Buffer.from(text), data]), header: String(text.length) };
};
const binary = { ...output, parameters: { binary_data_size: 4 } };

it.each<[string, StrangeAnswer]>([
  ["the HTML of a proxy", { body: "<html>login</html>" }],
  ["nothing", { body: "" }],
  ["null", { body: "null" }],
  ["no model name and no outputs", { body: "{}" }],
  ["too little data", answered({ model_name: "m", outputs: [binary] }, new Uint8Array(3))],
  [
    "a header length that is no number",
    { ...answered({ model_name: "m", outputs: [binary] }), header: "abc" },
  ],
  ["raw bytes without a header", { body: new Uint8Array(4), header: "0" }],
  [
    "a datatype of its own",
    { body: JSON.stringify({ model_name: "m", outputs: [{ ...output, datatype: "E4M3" }] }) },
  ],
  [
    "a shape of texts",
    { body: JSON.stringify({ model_name: "m", outputs: [{ ...output, shape: ["1", {}], data: [1] }] }) },
  ],
  ["a reset connection", { body: "", isReset: true }],
  ["a status without a meaning", { status: 302, body: "" }],
])("measures nothing and serves on when a model answers with %s", async (_, infer) => {
  const { app, warnings, faults } = await servedBy({ infer });
  expect(warnings.map(({ msg }) => msg)).toContain("not measured: it did not answer");
  const { status, json } = await inferAt(app);
  expect([status >= 500 && status <= 504, json]).toEqual([true, { error: expect.any(String) }]);
  expect(faults).toEqual([]);
  expect((await app.request("/v2/health/live")).status).toBe(200);
});

it.each<[string, Partial<Record<What, StrangeAnswer>>]>([
  ["metadata without shapes", { model: { body: JSON.stringify({ name: "m", inputs: [{ name: "x" }] }) } }],
  ["metadata without inputs", { model: { body: '{"name":"m","inputs":[]}' } }],
  ["metadata in HTML", { model: { body: "<html>" } }],
  ["metadata that is a list", { model: { body: "[1]" } }],
  [
    "metadata of an endless input",
    { model: { body: JSON.stringify({ inputs: [{ ...metadata.inputs[0], shape: [-1, 1e9, 1e9] }] }) } },
  ],
  [
    "metadata of an unknown datatype",
    { model: { body: JSON.stringify({ inputs: [{ ...metadata.inputs[0], datatype: "E4M3" }] }) } },
  ],
  [
    "an example that is no JSON",
    {
      model: {
        body: JSON.stringify({
          inputs: [{ ...metadata.inputs[0], shape: [-1, -1], parameters: { example_shape: "[" } }],
        }),
      },
    },
  ],
  ["an index of nulls", { index: { body: '[null,{"name":null},{"name":"m","state":null,"version":null}]' } }],
  ["an index in HTML", { index: { body: "<html>" } }],
  ["a configuration in HTML", { config: { body: "<html>" } }],
  ["a description of itself in HTML", { server: { body: "<html>" } }],
])("serves a model with %s", async (_, answers) => {
  const { app, faults } = await servedBy(answers);
  expect((await inferAt(app)).status).toBe(200);
  expect(faults).toEqual([]);
});

const input = metadata.inputs[0];
const described = (parameters: object, inputs: readonly object[] = metadata.inputs): StrangeAnswer => {
  return { body: JSON.stringify({ name: "m", parameters, inputs }) };
};
const listed = (count: number, nameOf: (nth: number) => string): StrangeAnswer => {
  return { body: JSON.stringify(Array.from({ length: count }, (_, nth) => ({ name: nameOf(nth) }))) };
};
const counts = [1e9, 1e308, 2 ** 53, -1, 0, 0.5, "x", "999999999", null, [], {}];

it.each<[string, Partial<Record<What, StrangeAnswer>>]>([
  [
    "texts of a size that takes 8 GiB",
    { model: described({}, [{ ...input, datatype: "BYTES", shape: [-1, 2 ** 31 - 1] }]) },
  ],
  ["no rows of a size that takes 8 GiB", { model: described({}, [{ ...input, shape: [0, 2 ** 31 - 1] }]) }],
  ["negative sizes", { model: described({}, [{ ...input, shape: [-7, -9] }]) }],
  [
    "a thousand inputs of 60 MiB",
    {
      model: described(
        {},
        Array.from({ length: 1_000 }, (_, nth) => ({ ...input, name: `x${nth}`, shape: [-1, 15 * 2 ** 20] })),
      ),
    },
  ],
  ["inputs of many dimensions", { model: described({}, [{ ...input, shape: Array(100_000).fill(1) }]) }],
  ...counts.map((count): [string, Partial<Record<What, StrangeAnswer>>] => [
    `${JSON.stringify(count)} of all that can be counted`,
    {
      model: described({ replicas: count, join_rows: true, max_batch_rows: count, fixed_rows: count }),
      config: { body: JSON.stringify({ max_batch_size: count }) },
    },
  ]),
  ["a hundred thousand versions", { index: listed(100_000, () => "m") }],
  ["twenty thousand others", { index: listed(20_000, (nth) => (nth === 0 ? "m" : `other-${nth}`)) }],
  ["others of long names", { index: listed(100, (nth) => (nth === 0 ? "m" : "x".repeat(20_000))) }],
  [
    "times that cannot be",
    {
      infer: {
        body: JSON.stringify({
          ...(sound.infer as object),
          parameters: { spillway_service_ms: 1e300, spillway_queued_ms: -1e300 },
        }),
      },
    },
  ],
])("believes no server that says of a model: %s", async (_, answers) => {
  const { app, faults } = await servedBy(answers, 0.2);
  for (let nth = 0; nth < 3; nth++) expect((await inferAt(app)).status).toBe(200);
  const unknown = await app.request("/v2/models/nosuch");
  if (unknown.status !== 200) expect((await unknown.text()).length).toBeLessThan(4_000);
  expect((await app.request("/admin/status")).status).toBe(200);
  expect(faults).toEqual([]);
});

it("measures a model whose metadata has nulls and texts where others have none", async () => {
  const odd = {
    name: "m",
    versions: null,
    parameters: null,
    inputs: [{ name: "x", datatype: "FP32", shape: ["-1", "1"], parameters: null }],
  };
  const { app, warnings } = await servedBy({ model: { body: JSON.stringify(odd) } });
  expect(warnings).toEqual([]);
  expect((await inferAt(app)).status).toBe(200);
});

const strange = fc.record({
  status: fc.constantFrom(200, 200, 200, 200, 204, 400, 404, 415, 422, 500, 503),
  body: fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom("", "<html>", "null", "{}", "[]"),
    fc.constantFrom<What>("infer", "index", "model").chain((what) => changed(sound[what])),
  ),
  header: fc.option(fc.constantFrom("0", "1", "20", "-1", "x"), { nil: undefined, freq: 4 }),
});

/** A sound answer with one value in it replaced. */
function changed(json: unknown): fc.Arbitrary<string> {
  const text = JSON.stringify(json);
  const places = [...text.matchAll(/"[^"]*"|-?\d+/g)];
  return fc.tuple(fc.nat(places.length - 1), fc.json({ maxDepth: 1 })).map(([nth, value]) => {
    const at = places[nth]?.index ?? 0;
    return text.slice(0, at) + value + text.slice(at + (places[nth]?.[0].length ?? 0));
  });
}

it("starts and answers before a server of any answers", async () => {
  const whats = ["infer", "index", "server", "config", "ready", "model"] as const;
  const answers = fc.record(
    Object.fromEntries(whats.map((what) => [what, strange])) as Record<What, typeof strange>,
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(answers, async (given) => {
      const { app, faults } = await servedBy(given, 0.1);
      const asked = ["", "/ready", "/config", "/stats"].map((what) => `/v2/models/m${what}`);
      for (const path of [...asked, "/v2", "/v2/models/stats", "/admin/models", "/v2/models"]) {
        const reply = await app.request(path);
        expect([path, reply.headers.get("content-type")]).toEqual([path, expect.stringContaining("json")]);
      }
      const { status } = await inferAt(app);
      expect(status === 200 || status >= 400).toBe(true);
      expect(faults).toEqual([]);
    }),
    { numRuns },
  );
});
