/**
 * The virtual queue as a V2 server of its own: any V2 client sends single requests to it and gets its own
 * answer back, as if it spoke to the model server.
 */
import type { Context, Hono } from "hono";
import { decodeInferRequest } from "../protocol/decode.ts";
import { binaryWanted, encodeInferResponse } from "../protocol/encode.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../protocol/message.ts";
import { rowsOf, stackKey } from "../protocol/stack.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../protocol/v2-http.ts";
import { SpillwayError } from "./errors.ts";
import type { Served, Submission } from "./request.ts";
import type { HttpTransport } from "./targets/http-transport.ts";
import type { ModelCall } from "./targets/model-target.ts";
import type { VirtualQueue } from "./virtual-queue.ts";

export interface DaemonOptions {
  readonly queue: VirtualQueue<ModelCall, InferResponse>;
  /** Where models are asked for their names, types and shapes. */
  readonly models: HttpTransport;
  readonly sloMs: number;
  readonly maxBodyBytes: number;
  readonly onFault: (error: Error) => void;
}

/** Longest time that the model server may take to describe a model, in milliseconds. */
const metadataTimeoutMs = 5_000;

export function createDaemonApp(options: DaemonOptions): Hono {
  const { queue, models, sloMs, maxBodyBytes, onFault } = options;
  const app = createV2App(maxBodyBytes, onFault);
  const fromModelServer = async (context: Context): Promise<Response> => {
    const { status, body } = await models.get(context.req.path, metadataTimeoutMs);
    const headers = { "content-type": "application/json" };
    return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  };

  app.get("/v2", (context) =>
    context.json({ name: "spillway", version: "1", extensions: ["binary_tensor_data"] }),
  );
  app.get("/v2/health/live", (context) => context.json({ live: true }));
  app.get("/v2/health/ready", (context) => {
    const ready = queue.isReady;
    return context.json({ ready }, ready ? 200 : 503);
  });
  app.get("/v2/models/:model", fromModelServer);
  app.get("/v2/models/:model/ready", fromModelServer);
  app.post("/v2/models/:model/infer", async (context) => {
    const { body, headerBytes } = toWireBody(
      context.req.header(headerLength),
      await context.req.arrayBuffer(),
    );
    const request = decodeInferRequest(body, headerBytes);
    const submission = submissionOf(context.req.param("model"), request, body.byteLength);
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
    key: `${model} ${stackKey(request)}`,
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
      else reject(end.error.code === "queue_full" ? new QueueFullError(end.error, sloMs) : end.error);
    });
    hungUp.addEventListener("abort", cancel);
  });
}

/** Every request that waits now has ended after one SLO, so that is when there is room for sure. */
class QueueFullError extends SpillwayError {
  readonly retryAfterS: number;

  constructor(error: SpillwayError, sloMs: number) {
    super(error.code, error.message);
    this.retryAfterS = sloMs / 1_000;
  }
}

/** The answer, and how it came about. */
function withFacts({ answer, target, batchRows, queuedMs }: Served<InferResponse>): InferResponse {
  const facts = { spillway_target: target, spillway_batch_rows: batchRows, spillway_waited_ms: queuedMs };
  return { ...answer, parameters: { ...answer.parameters, ...facts } };
}
