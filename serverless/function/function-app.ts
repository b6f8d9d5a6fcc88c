/**
 * A function: the edge app behind Function Compute's custom-runtime contract. An invocation carries bytes
 * only, so the V2 call travels in an envelope; the platform's hooks are endpoints of their own.
 */
import { Hono } from "hono";
import type { Logger } from "pino";
import { createEdgeApp } from "../../edge/server/app.ts";
import type { ModelRunner } from "../../edge/models/model-runner.ts";
import { route } from "../../edge/routes/route.ts";
import { packReply, unpackCall } from "../../protocol/envelope.ts";
import { errorBody, ProtocolError } from "../../protocol/errors.ts";
import { maxPayloadBytes } from "../prices/fc-limits.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { platformCalls } from "./platform-calls.ts";

/**
 * The app of a function: `POST /invoke`, `POST /initialize`, `GET /pre-stop`, and the V2 endpoints themselves
 * for an HTTP trigger. `POST /` is `/invoke` for platforms that send events there. A call whose input is wrong is
 * answered in the envelope with its status; only a call that failed as a whole fails for the platform.
 */
export function createFunctionApp(models: readonly ModelRunner[], log: Logger): Hono {
  const v2 = createEdgeApp({ models, log, maxBodyBytes: maxPayloadBytes });
  route(v2, "POST", ["/initialize"], async (context) => {
    const loaded = await Promise.allSettled(models.map((runner) => runner.ready()));
    const failures = loaded.flatMap((result) =>
      result.status === "rejected" ? [String(result.reason)] : [],
    );
    return failures.length === 0 ? context.text("ok") : context.text(failures.join("\n"), 404);
  });
  route(v2, "GET", ["/pre-stop"], (context) => context.text("ok"));
  route(v2, "POST", ["/invoke", "/"], async (context) => {
    const { status, body } = await invoke(v2, new Uint8Array(await context.req.arrayBuffer()));
    return context.body(body as Uint8Array<ArrayBuffer>, status, {
      "content-type": status === 200 ? "application/octet-stream" : "application/json",
    });
  });

  // Around all of it, answers to wrong paths and bodies that are too large included.
  const app = new Hono();
  app.use(platformCalls());
  app.all("*", (context) => v2.fetch(context.req.raw, context.env));
  return app;
}

/** 200 when the call was answered, be it with a V2 error; 404 (failed, for the platform) when it was not one. */
async function invoke(v2: Hono, payload: Uint8Array): Promise<{ status: 200 | 404; body: Uint8Array }> {
  try {
    const { model, version, wire } = unpackCall(payload);
    const of = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
    const reply = await v2.request(`/v2/models/${encodeURIComponent(model)}${of}/infer`, {
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
