/**
 * The V2 ingress: the daemon as a V2 server. Any V2 client sends single requests to it and gets its own answer back,
 * as if it spoke to the model server.
 */
import type { Hono } from "hono";
import { SpillwayError } from "../../../base/errors.ts";
import { adminGuard } from "../../../base/program/admin-guard.ts";
import { decodeInferRequest } from "../../../protocol/decode.ts";
import { binaryWanted, encodeInferResponse } from "../../../protocol/encode.ts";
import type { InferResponse } from "../../../protocol/message.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../../protocol/v2-http.ts";
import type { Served } from "../../queue/request.ts";
import type { Daemon } from "../daemon.ts";

export interface V2IngressOptions {
  /** Bearer token for /admin and /metrics; undefined: only programs on this machine may ask them. */
  readonly adminToken?: string | undefined;
  readonly maxBodyBytes: number;
  readonly onFault: (error: Error) => void;
}

export function createV2Ingress(daemon: Daemon, options: V2IngressOptions): Hono {
  const { models, metrics } = daemon;
  const app = createV2App(options.maxBodyBytes, options.onFault);
  app.get("/v2", (context) =>
    context.json({
      name: "spillway",
      version: "1",
      extensions: ["binary_tensor_data", "model_repository"],
    }),
  );
  app.get("/v2/health/live", (context) => context.json({ live: true }));
  app.get("/v2/health/ready", (context) => {
    const ready = daemon.status().isReady;
    return context.json({ ready }, ready ? 200 : 503);
  });
  // Both tell what functions cost, which is not everybody's business.
  const guard = adminGuard(options.adminToken);
  app.use("/admin/*", guard);
  app.use("/metrics", guard);
  app.get("/admin/spend", (context) => context.json(daemon.status().spend));
  app.get("/metrics", async (context) =>
    context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  app.post("/v2/repository/index", async (context) => {
    const names = await models.list();
    if (names === undefined) throw new SpillwayError("model_not_found", "the edge does not list its models");
    return context.json(names.map((name) => ({ name, state: models.stateOf(name) })));
  });
  app.get("/v2/models/:model", async (context) => {
    const { status, body } = await models.describe(context.req.param("model"));
    const headers = { "content-type": "application/json" };
    return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  });
  app.get("/v2/models/:model/ready", async (context) => {
    const name = context.req.param("model");
    // Where the edge cannot say, a healthy target may serve the model.
    const ready = daemon.status().isReady && ((await models.isReadyAtEdge(name)) ?? true);
    return context.json({ name, ready }, ready ? 200 : 503);
  });
  app.post("/v2/models/:model/infer", async (context) => {
    const model = context.req.param("model");
    try {
      await daemon.checkModel(model);
      const { body, headerBytes } = toWireBody(
        context.req.header(headerLength),
        await context.req.arrayBuffer(),
      );
      const request = decodeInferRequest(body, headerBytes);
      const call = { model, request, bytes: body.byteLength };
      const served = await daemon.submit(call, context.req.raw.signal);
      return answerWire(context, encodeInferResponse(withFacts(served), binaryWanted(request)));
    } catch (error) {
      throw withRetryAfter(error);
    }
  });
  return app;
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
function withFacts({ answer, target, batchRows, queuedMs }: Served<InferResponse>): InferResponse {
  const facts = { spillway_target: target, spillway_batch_rows: batchRows, spillway_waited_ms: queuedMs };
  return { ...answer, parameters: { ...answer.parameters, ...facts } };
}
