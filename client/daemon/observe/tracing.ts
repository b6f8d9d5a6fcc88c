/**
 * Spans by OpenTelemetry: one for each request, and one for each batch with links to its requests. They are kept in a bounded
 * queue and sent over OTLP/HTTP as JSON from time to time; those that do not fit, or that no collector takes, are dropped.
 * The packages are loaded only where the environment names a collector.
 */
import { createRequire } from "node:module";
import type { Context, Link, Span, SpanContext } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import { SpillwayError } from "../../../base/errors.ts";
import { loadPackage } from "../../../base/optional-package.ts";
import { parseTraceParent, type TraceContext } from "../../../protocol/trace-context.ts";
import type { End } from "../../queue/request.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../../targets/target.ts";
import type { ModelCall } from "../../transports/model-call.ts";

const fromHere = createRequire(import.meta.url);

type Environment = Readonly<Record<string, string | undefined>>;
type Log = Readonly<Record<"info" | "warn", (facts: object, message: string) => void>>;

/** Links of one batch; a larger one has more members than links. */
const mostLinks = 128;
/** How long a daemon that closes waits for a collector. */
const longestFlushMs = 2_000;
const warnEveryMs = 60_000;

export interface TracedRequest {
  readonly model: string;
  readonly lane: string | undefined;
  readonly rows: number;
  /** As its caller says. */
  readonly caller: TraceContext | undefined;
}

/** A request's span until it ends. */
export interface RequestSpan {
  /** For its batches. */
  readonly context: TraceContext;
  end(end: End<unknown>): void;
}

export interface Tracing {
  begin(request: TracedRequest): RequestSpan;
  /** The same target, with a span for each of its batches. */
  traced<Out>(target: Target<ModelCall, Out>): Target<ModelCall, Out>;
  /** Sends what is left; takes two seconds at most. */
  close(): Promise<void>;
}

/** Whether the environment names a collector, and does not switch tracing off. */
function isAsked(env: Environment): boolean {
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  return endpoint !== "" && env["OTEL_SDK_DISABLED"] !== "true" && env["OTEL_TRACES_EXPORTER"] !== "none";
}

/**
 * Tracing as the environment asks for it, by OpenTelemetry's own variables; undefined when it names no collector, or when
 * the packages are missing, which the log says.
 */
export function openTracing(env: Environment, log: Log): Tracing | undefined {
  if (!isAsked(env)) return undefined;
  try {
    const tracing = makeTracing(log);
    const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    log.info({ endpoint: withoutUser(endpoint) }, "spans are sent by OTLP/HTTP");
    return tracing;
  } catch (error) {
    log.warn({ why: (error as Error).message }, "no spans are sent; serving goes on without");
    return undefined;
  }
}

function withoutUser(endpoint = ""): string {
  return endpoint.replace(/\/\/[^/@]*@/, "//");
}

function makeTracing(log: Log): Tracing {
  const api = fromHere("@opentelemetry/api") as typeof import("@opentelemetry/api");
  const { BasicTracerProvider, BatchSpanProcessor } = loadPackage("@opentelemetry/sdk-trace-base", "tracing");
  const { OTLPTraceExporter } = loadPackage("@opentelemetry/exporter-trace-otlp-http", "tracing");
  const { resourceFromAttributes, detectResources, envDetector } = loadPackage(
    "@opentelemetry/resources",
    "tracing",
  );
  const own = resourceFromAttributes({ "service.name": "spillway-queue" });
  const provider = new BasicTracerProvider({
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first.
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    // Its queue has 2,048 spans unless OTEL_BSP_MAX_QUEUE_SIZE says otherwise.
    spanProcessors: [new BatchSpanProcessor(toldExporter(new OTLPTraceExporter(), log))],
  });
  const tracer = provider.getTracer("spillway");
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace, createTraceState } = api;

  const spanContextOf = (context: TraceContext | undefined): SpanContext | undefined => {
    const parent = context && parseTraceParent(context.traceparent);
    if (context === undefined || parent === undefined) return undefined;
    const { traceId, spanId, flags } = parent;
    const state =
      context.tracestate === undefined ? {} : { traceState: createTraceState(context.tracestate) };
    return { traceId, spanId, traceFlags: flags & TraceFlags.SAMPLED, isRemote: true, ...state };
  };
  const within = (span: SpanContext | undefined): Context =>
    span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span);
  const failed = (span: Span, error: SpillwayError): void => {
    span.setAttribute("error.type", error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  };

  return {
    begin: ({ model, lane = "", rows, caller }) => {
      const attributes = { "spillway.model": model, "spillway.lane": lane, "spillway.rows": rows };
      const options = { kind: SpanKind.SERVER, attributes };
      const span = tracer.startSpan("spillway.request", options, within(spanContextOf(caller)));
      return {
        context: contextOf(span),
        end: (end) => {
          span.setAttribute("spillway.outcome", end.outcome);
          if ("error" in end) failed(span, end.error);
          else {
            span.setAttribute("spillway.target", end.target);
            span.setAttribute("spillway.batch.rows", end.batchRows);
            span.setAttribute("spillway.queued_ms", end.queuedMs);
          }
          span.end();
        },
      };
    },
    traced: (target) => ({
      ...target,
      send: (batch, done) => {
        const members = batch.parts.flatMap(({ payload }) => spanContextOf(payload.trace) ?? []);
        const [first] = members;
        const links = members.slice(0, mostLinks).map((context): Link => ({ context }));
        const attributes = batchAttributes(target.name, target.kind, batch);
        const options = { kind: SpanKind.CLIENT, attributes, links };
        const span = tracer.startSpan("spillway.batch", options, within(first));
        target.send(inTrace(batch, contextOf(span)), (result) => {
          endBatch(span, result, failed);
          done(result);
        });
      },
    }),
    close: async () => {
      const flushed = provider.shutdown().catch(() => {});
      const late = new Promise<void>((resolve) => setTimeout(resolve, longestFlushMs).unref());
      await Promise.race([flushed, late]);
    },
  };
}

function contextOf(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  const tracestate = traceState?.serialize();
  return { traceparent, ...(tracestate !== undefined && tracestate !== "" && { tracestate }) };
}

function batchAttributes(
  target: string,
  kind: TargetKind,
  { id, parts, rows }: OutgoingBatch<ModelCall>,
): Record<string, string | number> {
  return {
    "spillway.model": parts[0]?.payload.model ?? "",
    "spillway.target": target,
    "spillway.batch.id": id,
    "spillway.batch.rows": rows,
    "spillway.batch.requests": parts.length,
    ...(kind === "serverless" && { "faas.invoked_name": target }),
  };
}

/** The batch as its target gets it: its calls are part of its own span. */
function inTrace(batch: OutgoingBatch<ModelCall>, trace: TraceContext): OutgoingBatch<ModelCall> {
  const parts = batch.parts.map(({ payload, fromRow, toRow }) => {
    return { payload: { ...payload, trace }, fromRow, toRow };
  });
  return { ...batch, parts };
}

function endBatch(
  span: Span,
  result: BatchResult<unknown>,
  failed: (span: Span, error: SpillwayError) => void,
): void {
  if (!result.ok) failed(span, result.error);
  else {
    if (result.coldStartMs !== 0) span.setAttribute("faas.coldstart", true);
    if (result.serviceMs !== undefined) span.setAttribute("spillway.service_ms", result.serviceMs);
    const [error] = result.unanswered?.values() ?? [];
    if (error !== undefined) failed(span, error);
  }
  if (result.cost !== undefined && result.cost > 0) span.setAttribute("spillway.cost", result.cost);
  span.end();
}

/** An exporter whose failures are logged once in a while. */
function toldExporter(exporter: SpanExporter, log: Log): SpanExporter {
  let warnedAtMs = -Infinity;
  let lost = 0;
  return {
    export: (spans: ReadableSpan[], done) => {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) {
          lost += spans.length;
          const nowMs = performance.now();
          if (nowMs - warnedAtMs >= warnEveryMs) {
            warnedAtMs = nowMs;
            log.warn(
              { spans: lost, why: result.error?.message },
              "spans are lost: the collector did not take them",
            );
          }
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
