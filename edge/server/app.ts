/** The V2 endpoints over a set of models, as a function of requests: with or without a socket, or in a function. */
import type { Context, Hono } from "hono";
import type { Logger } from "pino";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { shortened } from "../../base/error-text.ts";
import { untilKnown } from "../models/why-not-ready.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { checkNoSequence } from "../../protocol/message.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../protocol/v2-http.ts";
import { ExampleBook } from "../example/example-book.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import type { StatisticsBook } from "../observe/model-statistics.ts";
import { isDashboard, neededScope } from "../../protocol/server/needed-scope.ts";
import { contentCoding } from "../../protocol/server/content-coding.ts";
import { addExampleRoute } from "../routes/example-route.ts";
import { addModelRoutes } from "../routes/model-routes.ts";
import { addPredictRoute } from "../routes/predict-route.ts";
import { readBody, type ReadRoom } from "../../protocol/server/read-body.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import { nameSubject, requestedModel, type Subject, subjectOf } from "../routes/route.ts";
import { addStatisticsRoutes } from "../routes/statistics-routes.ts";
import { arrivalMs, infer, limitsOf, refuseEarly } from "./infer.ts";
import { codecHere, isLongToRead, type MessageCodec } from "../../protocol/server/message-codec.ts";

export interface EdgeAppOptions {
  /** The models to serve; may change while the app runs. */
  readonly models: Iterable<ModelRunner>;
  readonly log: Logger;
  readonly maxBodyBytes: number;
  /** Adds the statistics extension to the app. */
  readonly statistics?: StatisticsBook;
  /** Who may do what; undefined: whoever reaches the app may do everything, as in a function. */
  readonly gate?: AccessGate;
  /** Names of the V2 extensions that the caller adds to the app. */
  readonly extensions?: readonly string[];
  /** Default: a new one. */
  readonly examples?: ExampleBook;
  /** For the bodies that are being read. Default: room of its own. */
  readonly room?: ReadRoom;
  /** Of the program, as the server's metadata tells it. Default: that of a function, whose package does not say. */
  readonly version?: string;
  /** Reads and prints bodies. Default: on the event loop, whatever their size. */
  readonly codec?: MessageCodec;
}

/** Longest text of a failure in the log, in characters. */
const longestLogged = 4_096;

/** What the log says of a request that failed by no fault of its caller. */
export function logFault(log: Logger, subject: Subject, error: Error): void {
  const message = error.message.slice(0, longestLogged);
  // What a model says ends with its message; anything else is a fault of this program.
  const where = error instanceof ProtocolError ? {} : { stack: error.stack };
  log.error({ ...subject, error: message, ...where }, "a request failed");
}

/** Answers carry `spillway_service_ms` and `spillway_queued_ms`, from which clients learn, and `spillway_replica`. */
export function createEdgeApp(options: EdgeAppOptions): Hono {
  const { models, log, maxBodyBytes, statistics, gate, extensions = [], codec = codecHere } = options;
  const { examples = new ExampleBook(), room, version = "1" } = options;
  const onFault = (error: Error, context: Context): void => logFault(log, subjectOf(context), error);
  const app = createV2App(maxBodyBytes, onFault, gate?.protect(neededScope, isDashboard), room);
  app.use(contentCoding(maxBodyBytes));
  // Before the routes of a model, one of which would take "stats" for a name.
  if (statistics !== undefined) addStatisticsRoutes(app, models, statistics);
  addExampleRoute(app, models, examples);
  addModelRoutes(
    app,
    models,
    examples,
    [
      "binary_tensor_data",
      "classification",
      "model_configuration",
      "example_requests",
      ...(statistics === undefined ? [] : ["statistics"]),
      ...extensions,
    ],
    version,
  );

  route(app, "POST", ["/v2/infer", ...modelPaths("/infer")], async (context) => {
    const arrivedAtMs = arrivalMs();
    const runner = requestedModel(models, context);
    await refuseEarly(runner, context);
    await untilKnown(runner);
    const wire = toWireBody(context.req.header(headerLength), await readBody(context));
    // Making the signal costs as much as refusing a request, so only a long body asks for it.
    const gone = isLongToRead(wire) ? context.req.raw.signal : undefined;
    const request = await codec.read(wire, runner.metadata, gone);
    if (request.id !== undefined) nameSubject(context, { id: shortened(request.id) });
    checkNoSequence(request);
    gate?.countRows(context, request.inputs[0]?.shape[0] ?? 1);
    const response = await infer(runner, request, limitsOf(request, arrivedAtMs, context));
    examples.answered(runner.model, request);
    return answerWire(context, await codec.write(response, request, gone));
  });
  addPredictRoute(app, models, gate);
  return app;
}
