/**
 * The V2 ingress: the daemon as a V2 server. Any V2 client sends single requests to it and gets its own answer back,
 * as if it spoke to the model server.
 */
import type { Hono } from "hono";
import { AccessGate } from "../../../base/access/access-gate.ts";
import { inOnePiece } from "../../../protocol/decode.ts";
import { withinHeader } from "../../../protocol/message.ts";
import { version } from "../../../base/program/version.ts";
import { contentCoding } from "../../../protocol/server/content-coding.ts";
import { codecHere, type MessageCodec } from "../../../protocol/server/message-codec.ts";
import { isDashboard, neededScope } from "../../../protocol/server/needed-scope.ts";
import { readBody, type ReadRoom } from "../../../protocol/server/read-body.ts";
import { modelPaths, route } from "../../../protocol/server/route.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../../protocol/v2-http.ts";
import type { Daemon } from "../daemon.ts";
import type { ModelRule } from "../joining/batch-rules.ts";
import { addQueueDashboard } from "../observe/dashboard/dashboard-page.ts";
import { InferAnswers } from "./answer-infer.ts";
import { addJobs } from "./jobs/job-routes.ts";
import type { JobBook } from "./jobs/job-book.ts";
import { addQueueModels } from "./queue-models.ts";
import { addQueuePredict } from "./queue-predict.ts";
import { addQueueRepository } from "./queue-repository.ts";
import { addRequestStories, answerId } from "./request-stories.ts";
import { addTargetRoutes } from "./target-routes.ts";
import { hintsOf, withRetryAfter } from "./served-answer.ts";

export interface V2IngressOptions {
  /** Who may do what; default: anybody infers, and programs on this machine do everything. */
  readonly gate?: AccessGate;
  readonly maxBodyBytes: number;
  /** Takes jobs as well; undefined: none are taken. */
  readonly jobs?: JobBook | undefined;
  /** Adds the endpoints of another ingress. */
  readonly more?: ((app: Hono) => void) | undefined;
  readonly onFault: (error: Error) => void;
  /** Reads and prints bodies. Default: on the event loop, whatever their size. */
  readonly codec?: MessageCodec;
  /** Default: with that codec. */
  readonly answers?: InferAnswers;
  /** For the bodies that are being read. Default: room of its own. */
  readonly room?: ReadRoom;
}

/** Extensions of the protocol that the queue has whatever its edges have. */
const extensions = ["binary_tensor_data", "model_configuration", "statistics", "model_repository"];

/** Paths whose answers are counted by their status. */
const isInference = /(?:\/infer|:predict)$/;

export function createV2Ingress(daemon: Daemon, options: V2IngressOptions): Hono {
  const { models, metrics } = daemon;
  const { gate = new AccessGate(), codec = codecHere, room } = options;
  const { answers = new InferAnswers(daemon, codec) } = options;
  const app = createV2App(
    options.maxBodyBytes,
    options.onFault,
    gate.protect(neededScope, isDashboard),
    room,
  );
  metrics.watchCallers(() => gate.counts());
  app.use(async (context, next) => {
    await next();
    if (isInference.test(context.req.path)) metrics.answered(context.res.status);
  });
  app.use(contentCoding(options.maxBodyBytes));
  route(app, "GET", ["/v2"], (context) =>
    context.json({ name: "spillway", version, extensions: [...extensions, ...daemon.extensions] }),
  );
  route(app, "GET", ["/v2/health/live"], (context) => context.json({ live: true }));
  route(app, "GET", ["/v2/health/ready"], async (context) => {
    const { isReady: ready, reason } = await daemon.health();
    return context.json({ ready, ...(reason !== undefined && { reason }) }, ready ? 200 : 503);
  });
  route(app, "GET", ["/admin/spend"], (context) => context.json(daemon.status().spend));
  route(app, "GET", ["/admin/status"], async (context) =>
    context.json({
      ...(await daemon.health()),
      lanes: daemon.status().lanes,
      spend: daemon.status().spend,
      ...(options.jobs !== undefined && { jobs: options.jobs.load() }),
    }),
  );
  route(app, "GET", ["/admin/models"], (context) => context.json({ models: daemon.rules.all().map(told) }));
  if (daemon.dashboard !== undefined) addQueueDashboard(app, daemon.dashboard, gate);
  addRequestStories(app, daemon);
  if (daemon.targets !== undefined) addTargetRoutes(app, daemon.targets);
  route(app, "GET", ["/metrics"], async (context) =>
    context.body((await daemon.scrape()) + ((await options.jobs?.scrape()) ?? ""), 200, {
      "content-type": metrics.contentType,
    }),
  );
  addQueueRepository(app, models, gate);
  addQueueModels(app, daemon);
  addQueuePredict(app, daemon, gate);
  if (options.jobs !== undefined) addJobs(app, options.jobs, gate, options.maxBodyBytes);
  options.more?.(app);
  route(app, "POST", ["/v2/infer", ...modelPaths("/infer")], async (context) => {
    const id = answerId(context, daemon.recent);
    try {
      const model = await daemon.findModel(context.req.param("model"), context.req.param("version"));
      const { body, ...rest } = toWireBody(context.req.header(headerLength), await readBody(context));
      const { raw } = context.req;
      const { parts, ...more } = await answers.answer({
        model,
        body: { parts: [body], ...rest },
        hints: hintsOf(context, gate),
        within: context.req.header(withinHeader),
        gone: raw.signal,
        signal: () => raw.signal,
        onRows: (rows) => gate.countRows(context, rows),
        onNumber: id.onNumber,
        onId: id.onId,
      });
      return answerWire(context, { body: inOnePiece(parts), ...more });
    } catch (error) {
      id.failed(error);
      throw withRetryAfter(error);
    }
  });
  return app;
}

/** JSON has no infinity: a bound that is not there is null. */
function told({ mostRows, ...rule }: ModelRule): object {
  return { ...rule, mostRows: mostRows === Infinity ? null : mostRows };
}
