/**
 * The V2 endpoints over a set of models, as a function of requests: tests call it without a socket, the edge
 * server puts it on a port, and a function calls it for each invocation.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Context, Hono } from "hono";
import type { Logger } from "pino";
import { decodeInferRequest } from "../protocol/decode.ts";
import { binaryWanted, encodeInferResponse } from "../protocol/encode.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../protocol/message.ts";
import type { Tensor } from "../protocol/tensor.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../protocol/v2-http.ts";
import type { ModelRunner, RunLimits } from "./model-runner.ts";
import { Turnstile } from "./turnstile.ts";

/** Few refused bodies are read at once: the rest stays with its senders, and a flood does not crowd out what was taken. */
const discarding = new Turnstile(4);
/** A sender who dawdles longer than this makes way for others. */
const longestTurnMs = 1_000;

export interface EdgeAppOptions {
  readonly models: readonly ModelRunner[];
  readonly log: Logger;
  /** Largest request body that is taken, in bytes. */
  readonly maxBodyBytes: number;
}

/**
 * The app. Its answers carry `spillway_service_ms` and `spillway_queued_ms`, from which clients learn, and
 * `spillway_replica`, which names the replica that ran them.
 */
export function createEdgeApp({ models, log, maxBodyBytes }: EdgeAppOptions): Hono {
  const byName = new Map(models.map((runner) => [runner.model.name, runner]));
  const runnerOf = (context: Context): ModelRunner => {
    const name = context.req.param("model") as string;
    const runner = byName.get(name);
    if (runner !== undefined) return runner;
    throw new ProtocolError(`no model "${name}"; there are: ${[...byName.keys()].join(", ") || "none"}`, 404);
  };
  const app = createV2App(maxBodyBytes, (error) => log.error({ error }, "fault"));

  app.get("/v2", (context) =>
    context.json({ name: "spillway-edge", version: "1", extensions: ["binary_tensor_data"] }),
  );
  app.get("/v2/health/live", (context) => context.json({ live: true }));
  app.get("/v2/health/ready", (context) => {
    const ready = models.length > 0 && models.every((runner) => runner.isReady);
    return context.json({ ready }, ready ? 200 : 503);
  });
  app.get("/v2/models/:model", (context) => {
    const { model, metadata } = runnerOf(context);
    if (metadata === undefined) throw new ProtocolError(`model "${model.name}" is not loaded yet`, 503);
    return context.json(metadata);
  });
  app.get("/v2/models/:model/ready", (context) => {
    const { model, isReady } = runnerOf(context);
    return context.json({ name: model.name, ready: isReady }, isReady ? 200 : 503);
  });
  app.post("/v2/models/:model/infer", async (context) => {
    const arrivedAtMs = performance.now();
    const runner = runnerOf(context);
    await refuseEarly(runner, context);
    const { body, headerBytes } = toWireBody(
      context.req.header(headerLength),
      await context.req.arrayBuffer(),
    );
    const request = decodeInferRequest(body, headerBytes);
    const response = await infer(runner, request, limitsOf(request, arrivedAtMs, context.req.raw.signal));
    return answerWire(context, encodeInferResponse(response, binaryWanted(request)));
  });
  return app;
}

/**
 * What would be refused anyway need not be in memory first. Its body is read and let go, chunk by chunk, for a caller
 * who is still sending when the connection is closed may never see the answer.
 */
async function refuseEarly(runner: ModelRunner, { req }: Context): Promise<void> {
  try {
    runner.checkRoom(Number(req.header("content-length") ?? 0));
  } catch (error) {
    await discarding.pass(async () => {
      // A caller who hangs up meanwhile has the same answer coming to nobody.
      const discarded = req.raw.body?.pipeTo(new WritableStream()).catch(() => {});
      await Promise.race([discarded, delay(longestTurnMs, undefined, { ref: false })]);
    });
    throw error;
  }
}

async function infer(runner: ModelRunner, request: InferRequest, limits: RunLimits): Promise<InferResponse> {
  const { name, version } = runner.model;
  const { outputs, serviceMs, queuedMs, replica } = await runner.run(request, limits);
  return {
    modelName: name,
    modelVersion: version,
    ...(request.id === undefined ? {} : { id: request.id }),
    parameters: {
      spillway_service_ms: serviceMs,
      spillway_queued_ms: queuedMs,
      spillway_replica: replica,
    },
    outputs: wantedOutputs(request, outputs),
  };
}

/** A request's `timeout` counts from when its head arrived. */
function limitsOf(request: InferRequest, arrivedAtMs: number, hungUp: AbortSignal): RunLimits {
  const timeoutUs = timeoutUsOf(request);
  return timeoutUs === undefined ? { hungUp } : { hungUp, deadlineAtMs: arrivedAtMs + timeoutUs / 1_000 };
}

/** @throws ProtocolError when an output is asked for that the model does not have */
function wantedOutputs(request: InferRequest, outputs: readonly Tensor[]): Tensor[] {
  if (request.outputs === undefined) return [...outputs];
  return request.outputs.map(({ name }) => {
    const output = outputs.find((candidate) => candidate.name === name);
    if (output !== undefined) return output;
    throw new ProtocolError(`no output "${name}"; there are: ${outputs.map((each) => each.name).join(", ")}`);
  });
}
