/**
 * The V2 ingress: the daemon as a V2 server. Any V2 client sends single requests to it and gets its own answer back,
 * as if it spoke to the model server.
 */
import type { Context, Hono } from "hono";
import { SpillwayError } from "../../../base/errors.ts";
import { AccessGate } from "../../../base/access/access-gate.ts";
import { checkNoSequence, type InferResponse, type ModelMetadata } from "../../../protocol/message.ts";
import { contentCoding } from "../../../protocol/server/content-coding.ts";
import { codecHere, type MessageCodec } from "../../../protocol/server/message-codec.ts";
import { neededScope } from "../../../protocol/server/needed-scope.ts";
import { readBody } from "../../../protocol/server/read-body.ts";
import { modelPaths, route } from "../../../protocol/server/route.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../../protocol/v2-http.ts";
import type { Served } from "../../queue/request.ts";
import type { Daemon } from "../daemon.ts";
import { type LaneHints, laneHeader, tenantHeader } from "../lanes.ts";
import type { ModelRule } from "../joining/batch-rules.ts";
import type { ModelDirectory } from "../model-directory.ts";
import { metadataIn } from "./known-configuration.ts";
import { addQueueModels } from "./queue-models.ts";
import { addQueueRepository } from "./queue-repository.ts";
import { addTargetRoutes } from "./target-routes.ts";

export interface V2IngressOptions {
  /** Who may do what; default: anybody infers, and programs on this machine do everything. */
  readonly gate?: AccessGate;
  readonly maxBodyBytes: number;
  readonly onFault: (error: Error) => void;
  /** Reads and prints bodies. Default: on the event loop, whatever their size. */
  readonly codec?: MessageCodec;
}

/** Extensions of the protocol that the queue has whatever its edges have. */
const extensions = ["binary_tensor_data", "model_configuration", "statistics", "model_repository"];

export function createV2Ingress(daemon: Daemon, options: V2IngressOptions): Hono {
  const { models, metrics } = daemon;
  const { gate = new AccessGate(), codec = codecHere } = options;
  const app = createV2App(options.maxBodyBytes, options.onFault, gate.protect(neededScope));
  metrics.watchCallers(() => gate.counts());
  app.use(contentCoding(options.maxBodyBytes));
  route(app, "GET", ["/v2"], (context) =>
    context.json({ name: "spillway", version: "1", extensions: [...extensions, ...daemon.extensions] }),
  );
  route(app, "GET", ["/v2/health/live"], (context) => context.json({ live: true }));
  route(app, "GET", ["/v2/health/ready"], async (context) => {
    const { isReady: ready, reason } = await daemon.health();
    return context.json({ ready, ...(reason !== undefined && { reason }) }, ready ? 200 : 503);
  });
  route(app, "GET", ["/admin/spend"], (context) => context.json(daemon.status().spend));
  route(app, "GET", ["/admin/status"], async (context) =>
    context.json({ ...(await daemon.health()), lanes: daemon.status().lanes, spend: daemon.status().spend }),
  );
  route(app, "GET", ["/admin/models"], (context) => context.json({ models: daemon.rules.all().map(told) }));
  if (daemon.targets !== undefined) addTargetRoutes(app, daemon.targets);
  route(app, "GET", ["/metrics"], async (context) =>
    context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  addQueueRepository(app, models, gate);
  addQueueModels(app, daemon);
  route(app, "POST", ["/v2/infer", ...modelPaths("/infer")], async (context) => {
    try {
      const model = await daemon.findModel(context.req.param("model"), context.req.param("version"));
      const wire = toWireBody(context.req.header(headerLength), await readBody(context));
      // Its memory may belong to another thread afterwards.
      const bodyBytes = wire.body.byteLength;
      const { signal } = context.req.raw;
      const metadata = wire.headerBytes === 0 ? await metadataOf(models, model) : undefined;
      const request = await codec.read(wire, metadata, signal);
      checkNoSequence(request);
      gate.countRows(context, request.inputs[0]?.shape[0] ?? 1);
      const bytes = Math.max(bodyBytes, tensorBytes(request.inputs));
      const call = { model, request, bytes, hints: hintsOf(context, gate) };
      const served = await daemon.submit(call, signal);
      return answerWire(context, await codec.write(withFacts(served), request, signal));
    } catch (error) {
      throw withRetryAfter(error);
    }
  });
  return app;
}

/** What a caller says of lane and tenant in the head of a request. */
export function hintsOf(context: Context, gate: AccessGate): LaneHints {
  const [lane, tenant] = [context.req.header(laneHeader), context.req.header(tenantHeader)];
  return { lane, tenant, key: gate.keyOf(context) };
}

/** What a request holds once it is read: JSON of one digit becomes up to eight bytes. */
function tensorBytes(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** What a body without JSON is read by. */
async function metadataOf(models: ModelDirectory, model: string): Promise<ModelMetadata | undefined> {
  const { status, body } = await models.describeLately(model);
  return status === 200 ? metadataIn(body) : undefined;
}

/** JSON has no infinity: a bound that is not there is null. */
function told({ mostRows, ...rule }: ModelRule): object {
  return { ...rule, mostRows: mostRows === Infinity ? null : mostRows };
}

/** The error as it is, or one that is sent with a Retry-After header where it says when to come back. */
function withRetryAfter(error: unknown): unknown {
  if (!(error instanceof SpillwayError) || error.retryAfterMs === undefined) return error;
  return new TryLaterError(error, error.retryAfterMs / 1_000);
}

class TryLaterError extends SpillwayError {
  readonly retryAfterS: number;

  constructor({ code, message }: SpillwayError, retryAfterS: number) {
    super(code, message);
    this.retryAfterS = retryAfterS;
  }
}

/** The answer, and where and how it was served. */
function withFacts({ answer, target, batchRows, queuedMs, parts }: Served<InferResponse>): InferResponse {
  const facts = {
    spillway_target: target,
    spillway_batch_rows: batchRows,
    spillway_waited_ms: queuedMs,
    ...(parts !== undefined && { spillway_rows_by_target: rowsByTarget(parts) }),
  };
  return { ...answer, parameters: { ...answer.parameters, ...facts } };
}

/** Such as `edge=40,small=24`: who answered how many rows of a request that was split. */
function rowsByTarget(parts: NonNullable<Served<InferResponse>["parts"]>): string {
  const rows = new Map<string, number>();
  for (const { target, fromRow, toRow } of parts) rows.set(target, (rows.get(target) ?? 0) + toRow - fromRow);
  return Array.from(rows, ([target, count]) => `${target}=${count}`).join(",");
}
