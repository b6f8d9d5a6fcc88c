/**
 * A function: the edge app behind Function Compute's custom-runtime contract. The body of an invocation is all that the
 * function gets, so a V2 call travels in an envelope; the platform's hooks have endpoints of their own.
 */
import { Hono, type MiddlewareHandler } from "hono";
import type { Logger } from "pino";
import type { ModelRunner } from "../../edge/models/model-runner.ts";
import { readBody } from "../../protocol/server/read-body.ts";
import { route } from "../../protocol/server/route.ts";
import { createEdgeApp } from "../../edge/server/app.ts";
import { packReply, unpackCall } from "../../protocol/envelope.ts";
import { errorBody, ProtocolError } from "../../protocol/errors.ts";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { maxPayloadBytes } from "../prices/fc-limits.ts";

/**
 * `POST /invoke` (or `POST /`, where some platforms send events), `POST /initialize`, `GET /pre-stop`, and the V2 endpoints
 * for an HTTP trigger. An invocation holds an inference, or a question that goes with GET, such as what a model takes. It
 * fails only when it holds neither; other errors are V2 answers in the envelope.
 */
export function createFunctionApp(models: readonly ModelRunner[], log: Logger): Hono {
  const v2 = createEdgeApp({ models, log, maxBodyBytes: maxPayloadBytes });
  route(v2, "GET", ["/v2/models"], (context) =>
    context.json({ models: models.map(({ model }) => model.name) }),
  );
  route(v2, "POST", ["/initialize"], async (context) => {
    const loaded = await Promise.allSettled(models.map((runner) => runner.ready()));
    const failures = loaded.flatMap((result) =>
      result.status === "rejected" ? [String(result.reason)] : [],
    );
    return failures.length === 0 ? context.text("ok") : context.text(failures.join("\n"), 404);
  });
  route(v2, "GET", ["/pre-stop"], (context) => context.text("ok"));
  route(v2, "POST", ["/invoke", "/"], async (context) => {
    const { status, body } = await invoke(v2, new Uint8Array(await readBody(context)));
    return context.body(body as Uint8Array<ArrayBuffer>, status, {
      "content-type": status === 200 ? "application/octet-stream" : "application/json",
    });
  });

  // The marks enclose every answer, also those to wrong paths and to bodies that are too large.
  const app = new Hono();
  app.use(markCalls);
  app.all("*", (context) => v2.fetch(context.req.raw, context.env));
  return app;
}

/** Status 200 with the V2 answer in an envelope, or 404 (failed, for the platform) when the payload is no envelope. */
async function invoke(v2: Hono, payload: Uint8Array): Promise<{ status: 200 | 404; body: Uint8Array }> {
  try {
    const { model, version, get, wire } = unpackCall(payload);
    const of = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
    const reply =
      get === undefined
        ? await v2.request(`/v2/models/${encodeURIComponent(model)}${of}/infer`, {
            method: "POST",
            headers: wireHeaders(wire),
            body: wire.body as Uint8Array<ArrayBuffer>,
          })
        : await v2.request(get);
    const answer = toWireBody(reply.headers.get(headerLength), await reply.arrayBuffer());
    return { status: 200, body: packReply({ status: reply.status, wire: answer }) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { status: 404, body: new TextEncoder().encode(JSON.stringify(errorBody(error.message))) };
  }
}

/**
 * What Function Compute expects around every answer: lines in the output by which it splits the log, and a header that
 * says whether the call failed. A request without its id comes from somewhere else and passes unchanged.
 */
const markCalls: MiddlewareHandler = async (context, next) => {
  const requestId = context.req.header("x-fc-request-id");
  if (requestId === undefined) return next();
  const controlPath = context.req.header("x-fc-control-path") ?? "";
  const what = hookMarks[controlPath] ?? "Invoke";
  mark(`${what} Start`, requestId);
  await next();
  mark(`${what} End`, requestId);
  // Through an HTTP trigger comes a V2 call, which has failed only when it is the server's fault; events and hooks have
  // no 4xx. ASSUMED: a trigger passes status and body on, and the header counts for the platform's statistics only.
  const failsFrom = controlPath === "/http-invoke" ? 500 : 400;
  context.res.headers.set("x-fc-status", context.res.status >= failsFrom ? "404" : "200");
};

/** The platform's names of its hooks in the log; everything else is an invocation. */
const hookMarks: Readonly<Record<string, string>> = { "/initialize": "Initialize", "/pre-stop": "PreStop" };

/** Written to stdout and not to the log, because the platform looks for these exact lines. */
function mark(what: string, requestId: string): void {
  process.stdout.write(`FC ${what} RequestId: ${requestId}\n`);
}
