import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { closers, echo, listen } from "../../../test/support/wired-targets.ts";
import type { Daemon } from "../daemon.ts";
import { createV2Ingress } from "../ingress/v2.ts";
import { openDaemon } from "../open-daemon.ts";
import { daemonOptions } from "../options.ts";
import { openTracing } from "./tracing.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${spanId}-01`;

/** A span as OTLP's JSON has it. */
interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly resource: Pick<OtlpSpan, "attributes">;
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const valuesOf = ({ attributes }: Pick<OtlpSpan, "attributes">): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

interface Started {
  readonly daemon: Daemon;
  /** Header fields of the calls that the edge got. */
  readonly calls: readonly IncomingHttpHeaders[];
  infer(headers?: Record<string, string>, model?: string): Promise<number>;
}

async function start(...flags: object[]): Promise<Started> {
  const calls: IncomingHttpHeaders[] = [];
  const edge: RequestListener = (request, response) => {
    if (request.method === "POST" && request.url?.endsWith("/infer") === true) calls.push(request.headers);
    if (request.url === "/v2/models/echo/infer") return echo(request, response);
    request.resume();
    response.writeHead(request.url === "/v2/models/bad/infer" ? 400 : 404).end('{"error":"no"}');
  };
  const edgeUrl = await listen(createServer(edge));
  const options = daemonOptions.parse({
    edge: [edgeUrl],
    serverless: false,
    calibrate: 0,
    slo: 5,
    prices: fileURLToPath(new URL("../../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url)),
    joinRows: ["echo"],
    ...Object.assign({}, ...flags),
  });
  const daemon = openDaemon(options, pino({ level: "silent" }));
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  await daemon.start(new AbortController().signal);
  const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
  return {
    daemon,
    calls,
    infer: async (headers = {}, model = "echo") =>
      (await app.request(`/v2/models/${model}/infer`, { method: "POST", body, headers })).status,
  };
}

/** A collector that keeps the spans that it is sent. */
async function collector(): Promise<{ url: string; bodies: OtlpBody[]; spans(): OtlpSpan[] }> {
  const bodies: OtlpBody[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      if (request.url === "/v1/traces") bodies.push(body as OtlpBody);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  const url = await listen(server);
  const spans = (): OtlpSpan[] =>
    bodies.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    );
  return { url, bodies, spans };
}

function setEnvironment(variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
}

afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("OTEL_")) delete process.env[name];
});

describe("without a collector", () => {
  it("hands the trace of a request on to its target, and nothing that is no trace", async () => {
    const { daemon, calls, infer } = await start();
    closers.push(() => daemon.close());
    expect(await infer({ traceparent, tracestate: "vendor=1" })).toBe(200);
    expect(await infer({ traceparent: "nonsense", tracestate: "vendor=1" })).toBe(200);
    expect(await infer()).toBe(200);
    expect(calls.map((headers) => [headers["traceparent"], headers["tracestate"]])).toEqual([
      [traceparent, "vendor=1"],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it.each([
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_SDK_DISABLED: "true" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_TRACES_EXPORTER: "none" },
  ])("makes no spans: %j", (env) => {
    expect(openTracing(env, { info: () => {}, warn: () => {} })).toBeUndefined();
  });
});

describe("with a collector", { tags: ["slow"] }, () => {
  it("sends a span for each request, and one for each batch with links to its requests", async () => {
    const { url, bodies, spans } = await collector();
    setEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: "50" });
    const { daemon, calls, infer } = await start({ policy: "fixed", edgeBatch: 3, timeout: 5 });
    const statuses = await Promise.all([infer({ traceparent, tracestate: "vendor=1" }), infer(), infer()]);
    expect(statuses).toEqual([200, 200, 200]);
    await daemon.close();
    const requests = spans().filter(({ name }) => name === "spillway.request");
    const batches = spans().filter(({ name }) => name === "spillway.batch");
    expect(requests).toHaveLength(3);
    expect(batches).toHaveLength(1);
    expect(valuesOf(bodies[0]?.resourceSpans[0]?.resource as OtlpSpan)).toMatchObject({
      "service.name": "spillway-queue",
    });
    const traced = requests.find((span) => span.traceId === traceId);
    expect(traced?.parentSpanId).toBe(spanId);
    expect(valuesOf(traced as OtlpSpan)).toMatchObject({
      "spillway.model": "echo",
      "spillway.lane": "",
      "spillway.target": "edge",
      "spillway.outcome": "served",
    });
    const [batch] = batches as [OtlpSpan];
    expect(new Set(batch.links?.map((link) => link.spanId))).toEqual(
      new Set(requests.map((each) => each.spanId)),
    );
    expect(valuesOf(batch)).toMatchObject({
      "spillway.target": "edge",
      "spillway.batch.rows": 3,
      "spillway.batch.requests": 3,
    });
    // The call is part of the batch's span.
    expect(calls.map((headers) => headers["traceparent"])).toEqual([
      `00-${batch.traceId}-${batch.spanId}-01`,
    ]);
  });

  it("says of a request and its batch how they failed", async () => {
    const { url, spans } = await collector();
    setEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "belt" });
    const { daemon, infer } = await start();
    expect(await infer({}, "bad")).toBe(400);
    await daemon.close();
    const failed = spans().map((span) => [span.name, span.status.code, valuesOf(span)["error.type"]]);
    expect(failed).toEqual([
      ["spillway.batch", 2, "request_rejected"],
      ["spillway.request", 2, "request_rejected"],
    ]);
  });

  it("records nothing of a trace that its caller does not record, and hands it on", async () => {
    const { url, spans } = await collector();
    setEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
    const { daemon, calls, infer } = await start();
    expect(await infer({ traceparent: traceparent.replace(/01$/, "00") })).toBe(200);
    await daemon.close();
    expect(spans()).toEqual([]);
    expect(calls[0]?.["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  });

  it("serves when no collector is there, and ends within seconds", async () => {
    setEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_BSP_SCHEDULE_DELAY: "20" });
    const { daemon, infer } = await start();
    expect(await Promise.all(Array.from({ length: 50 }, () => infer()))).toEqual(Array(50).fill(200));
    await daemon.close();
  });

  it("serves when the collector takes spans and never answers", async () => {
    const silent = await listen(createServer((request) => void request.resume()));
    setEnvironment({
      OTEL_EXPORTER_OTLP_ENDPOINT: silent,
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_BSP_MAX_QUEUE_SIZE: "16",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "8",
    });
    const { daemon, infer } = await start();
    expect(await Promise.all(Array.from({ length: 200 }, () => infer()))).toEqual(Array(200).fill(200));
    await daemon.close();
  });
});
