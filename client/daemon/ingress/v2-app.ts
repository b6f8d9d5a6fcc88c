/**
 * The virtual queue as a V2 server of its own: any V2 client sends single requests to it and gets its own
 * answer back, as if it spoke to the model server.
 */
import type { Hono } from "hono";
import { adminGuard } from "../../../base/program/admin-guard.ts";
import { decodeInferRequest } from "../../../protocol/decode.ts";
import { binaryWanted, encodeInferResponse } from "../../../protocol/encode.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../../../protocol/message.ts";
import { rowsOf } from "../../../protocol/stack.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../../protocol/v2-http.ts";
import { SpillwayError } from "../../../base/errors.ts";
import type { Served, Submission } from "../../queue/request.ts";
import type { SpendStatus } from "../../targets/spend-cap.ts";
import type { ModelDirectory } from "../model-directory.ts";
import { queueKey } from "../../policies/queue-key.ts";
import type { ModelCall } from "../../transports/model-target.ts";
import type { VirtualQueue } from "../../queue/virtual-queue.ts";

/** When somebody who came too early may come again, in seconds: measuring takes about so long. */
const startingS = 5;

export interface DaemonOptions {
  /** Undefined until the targets are measured. */
  readonly queue: () => VirtualQueue<ModelCall, InferResponse> | undefined;
  readonly models: ModelDirectory;
  /** What functions cost of late. */
  readonly spend: () => SpendStatus;
  /** Bearer token for /admin; undefined: only programs on this machine may ask it. */
  readonly adminToken?: string | undefined;
  readonly sloMs: number;
  readonly maxBodyBytes: number;
  readonly onFault: (error: Error) => void;
}

export function createDaemonApp(options: DaemonOptions): Hono {
  const { models, sloMs, maxBodyBytes, onFault } = options;
  const app = createV2App(maxBodyBytes, onFault);
  const runningQueue = (): VirtualQueue<ModelCall, InferResponse> => {
    const queue = options.queue();
    if (queue === undefined) throw new TryLaterError(new SpillwayError("queue_starting"), startingS);
    return queue;
  };
  const isReady = (): boolean => options.queue()?.isReady ?? false;

  app.get("/v2", (context) =>
    context.json({
      name: "spillway",
      version: "1",
      extensions: ["binary_tensor_data", "model_repository"],
    }),
  );
  app.get("/v2/health/live", (context) => context.json({ live: true }));
  app.get("/v2/health/ready", (context) => {
    const ready = isReady();
    return context.json({ ready }, ready ? 200 : 503);
  });
  app.use("/admin/*", adminGuard(options.adminToken));
  app.get("/admin/spend", (context) => context.json(options.spend()));
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
    // Where the edge cannot say, some target that is well may serve it.
    const ready = isReady() && ((await models.isReadyAtEdge(name)) ?? true);
    return context.json({ name, ready }, ready ? 200 : 503);
  });
  app.post("/v2/models/:model/infer", async (context) => {
    const queue = runningQueue();
    const model = context.req.param("model");
    if (await models.lacks(model))
      throw new SpillwayError(
        "model_not_found",
        `no model "${model}"; there are: ${models.known.join(", ")}`,
      );
    const { body, headerBytes } = toWireBody(
      context.req.header(headerLength),
      await context.req.arrayBuffer(),
    );
    const request = decodeInferRequest(body, headerBytes);
    const submission = submissionOf(model, request, body.byteLength);
    const served = await infer(queue, submission, context.req.raw.signal, sloMs);
    return answerWire(context, encodeInferResponse(withFacts(served), binaryWanted(request)));
  });
  return app;
}

/** A request's own `timeout` takes the place of the SLO. */
function submissionOf(model: string, request: InferRequest, bytes: number): Submission<ModelCall> {
  const rows = rowsOf(request);
  const timeoutUs = timeoutUsOf(request);
  return {
    payload: { model, request, rows },
    key: queueKey(model, request),
    rows,
    bytes,
    ...(timeoutUs === undefined ? {} : { sloMs: timeoutUs / 1_000 }),
  };
}

/** Wait for the end of a request; a caller that hangs up cancels it. */
function infer(
  queue: VirtualQueue<ModelCall, InferResponse>,
  submission: Submission<ModelCall>,
  hungUp: AbortSignal,
  sloMs: number,
): Promise<Served<InferResponse>> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      queue.cancel(ticket);
    };
    const ticket = queue.submit(submission, (end) => {
      hungUp.removeEventListener("abort", cancel);
      if (!("error" in end)) resolve(end);
      else reject(tryLater(end.error, sloMs));
    });
    hungUp.addEventListener("abort", cancel);
  });
}

/** The error as it is, or with when to come back where that is known. */
function tryLater(error: SpillwayError, sloMs: number): SpillwayError {
  // Every request that waits now has ended after one SLO, so that is when there is room for sure.
  const afterMs = error.code === "queue_full" ? sloMs : error.retryAfterMs;
  return afterMs === undefined ? error : new TryLaterError(error, afterMs / 1_000);
}

/** An error that says when to come back. */
class TryLaterError extends SpillwayError {
  readonly retryAfterS: number;

  constructor({ code, message }: SpillwayError, retryAfterS: number) {
    super(code, message);
    this.retryAfterS = retryAfterS;
  }
}

/** The answer, and how it came about. */
function withFacts({ answer, target, batchRows, queuedMs }: Served<InferResponse>): InferResponse {
  const facts = { spillway_target: target, spillway_batch_rows: batchRows, spillway_waited_ms: queuedMs };
  return { ...answer, parameters: { ...answer.parameters, ...facts } };
}
