/**
 * A function: the edge app behind Function Compute's custom-runtime contract. An invocation carries bytes
 * only, so the V2 call travels in an envelope; the platform's hooks are endpoints of their own.
 */
import { Hono } from "hono";
import type { Logger } from "pino";
import { createEdgeApp } from "../edge/app.ts";
import type { ModelRunner } from "../edge/model-runner.ts";
import { packReply, unpackCall } from "../protocol/envelope.ts";
import { errorBody, ProtocolError } from "../protocol/errors.ts";
import { headerLength, toWireBody, wireHeaders } from "../protocol/v2-http.ts";

/** Largest payload of an invocation that Function Compute takes, in bytes. */
const maxPayloadBytes = 32 * 2 ** 20;

/**
 * The app of a function: `POST /invoke`, `POST /initialize`, `GET /pre-stop`, and the V2 endpoints themselves
 * for an HTTP trigger. A call whose input is wrong is answered in the envelope with its status; only a call
 * that failed as a whole fails for the platform.
 */
export function createFunctionApp(models: readonly ModelRunner[], log: Logger): Hono {
  const edge = createEdgeApp({ models, log, maxBodyBytes: maxPayloadBytes });
  const app = new Hono();

  app.post("/initialize", async (context) => {
    const requestId = context.req.header("x-fc-request-id");
    mark("Initialize Start", requestId);
    const loaded = await Promise.allSettled(models.map((runner) => runner.ready()));
    const failure = loaded.find((result) => result.status === "rejected");
    mark("Initialize End", requestId);
    if (failure === undefined) return context.text("ok", 200, { "x-fc-status": "200" });
    return context.text(String(failure.reason), 404, { "x-fc-status": "404" });
  });
  app.get("/pre-stop", (context) => {
    const requestId = context.req.header("x-fc-request-id");
    mark("PreStop Start", requestId);
    mark("PreStop End", requestId);
    return context.text("ok", 200, { "x-fc-status": "200" });
  });
  app.post("/invoke", async (context) => {
    const requestId = context.req.header("x-fc-request-id");
    mark("Invoke Start", requestId);
    const { status, body } = await invoke(edge, new Uint8Array(await context.req.arrayBuffer()));
    mark("Invoke End", requestId);
    return context.body(body as Uint8Array<ArrayBuffer>, status, {
      "content-type": "application/octet-stream",
      "x-fc-status": String(status),
    });
  });
  app.route("/", edge);
  app.onError((error, context) => {
    log.error({ error }, "fault");
    return context.json(errorBody(error.message), 404, { "x-fc-status": "404" });
  });
  return app;
}

/** 200 when the call was answered, be it with a V2 error; 404 (failed, for the platform) when it was not one. */
async function invoke(edge: Hono, payload: Uint8Array): Promise<{ status: 200 | 404; body: Uint8Array }> {
  try {
    const { model, wire } = unpackCall(payload);
    const reply = await edge.request(`/v2/models/${encodeURIComponent(model)}/infer`, {
      method: "POST",
      headers: wireHeaders(wire),
      body: wire.body as Uint8Array<ArrayBuffer>,
    });
    const answer = toWireBody(reply.headers.get(headerLength), await reply.arrayBuffer());
    return { status: 200, body: packReply({ status: reply.status, wire: answer }) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { status: 404, body: new TextEncoder().encode(JSON.stringify(errorBody(error.message))) };
  }
}

/** The platform cuts its log at these lines, so they are printed as they stand. */
function mark(what: string, requestId: string | undefined): void {
  if (requestId !== undefined) process.stdout.write(`FC ${what} RequestId: ${requestId}\n`);
}
