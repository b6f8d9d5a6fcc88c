/** What every endpoint that runs a model does alike: refuse early, keep to the request's limits, answer. */
import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../../protocol/message.ts";
import { rowsOf } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { ModelRunner, RunLimits } from "../models/model-runner.ts";
import { Semaphore } from "../../base/semaphore.ts";

/** Few refused bodies are read at once: the rest stays with its senders, and a flood does not crowd out what was taken. */
const discarding = new Semaphore(4);
/** A sender who dawdles longer than this makes way for others. */
const longestTurnMs = 1_000;

/**
 * What would be refused anyway need not be in memory first. Its body is read and let go, chunk by chunk, for a caller
 * who is still sending when the connection is closed may never see the answer.
 */
export async function refuseEarly(runner: ModelRunner, { req }: Context): Promise<void> {
  try {
    runner.checkRoom(Number(req.header("content-length") ?? 0));
  } catch (error) {
    await discarding.run(async () => {
      // A caller who hangs up meanwhile has the same answer coming to nobody.
      const discarded = req.raw.body?.pipeTo(new WritableStream()).catch(() => {});
      await Promise.race([discarded, delay(longestTurnMs, undefined, { ref: false })]);
    });
    throw error;
  }
}

export async function infer(
  runner: ModelRunner,
  request: InferRequest,
  limits: RunLimits,
): Promise<InferResponse> {
  const { name, version } = runner.model;
  const rows = rowsOf(request);
  const most = runner.model.config?.maxBatchRows ?? Infinity;
  if (rows > most)
    throw new ProtocolError(`the request has ${rows} rows; model "${name}" takes ${most} at most`);
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
export function limitsOf(request: InferRequest, arrivedAtMs: number, hungUp: AbortSignal): RunLimits {
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
