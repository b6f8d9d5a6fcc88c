/** What every endpoint that runs a model shares: early refusals, the limits of a request, and the answer. */
import { showValue } from "../../base/error-text.ts";
import type { Context } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  type InferRequest,
  type InferResponse,
  timeoutUsOf,
  withinHeader,
  withinMsOf,
} from "../../protocol/message.ts";
import { discardBody, smallBodyBytes } from "../../protocol/server/discard-body.ts";
import { commonRows } from "../../protocol/stack.ts";
import type { Tensor } from "../../protocol/tensor.ts";
import type { ModelFile, ModelRunner, RunLimits } from "../models/model-runner.ts";
import { classesWanted, classify } from "./classification.ts";

let turnBeganAtMs: number | undefined;

/**
 * When a request that is handled now had come at the latest: when this turn of the event loop began. On a busy machine
 * hundreds are handled in one turn, and those at its end would seem to have just come, with their deadline still far.
 */
export function arrivalMs(): number {
  if (turnBeganAtMs === undefined) {
    turnBeganAtMs = performance.now();
    setImmediate(() => (turnBeganAtMs = undefined));
  }
  return turnBeganAtMs;
}

/** Refuse early what has no chance. The body is read and dropped: a caller that still sends may not see the answer. */
export async function refuseEarly(runner: ModelRunner, { req }: Context): Promise<void> {
  const length = Number(req.header("content-length") ?? NaN);
  try {
    runner.checkRoom(Number.isNaN(length) ? 0 : length);
  } catch (error) {
    if (length <= smallBodyBytes) throw error;
    // Rejects when the caller hangs up, who then needs no answer.
    await discardBody(() => req.raw.body?.pipeTo(new WritableStream()).catch(() => {}));
    throw error;
  }
}

export async function infer(
  runner: ModelRunner,
  request: InferRequest,
  limits: RunLimits,
): Promise<InferResponse> {
  const { name, version, config } = runner.model;
  // Before the run, which would be for nothing.
  checkOutputs(request, runner);
  const most = config?.maxBatchRows;
  if (most !== undefined) checkRows(request, runner, most);
  const { outputs, serviceMs, queuedMs, replica, joins } = await runner.run(request, limits);
  return {
    modelName: name,
    modelVersion: version,
    id: request.id,
    parameters: {
      spillway_service_ms: serviceMs,
      spillway_queued_ms: queuedMs,
      spillway_replica: replica,
      ...(joins !== undefined && { spillway_joins: joins }),
    },
    outputs: wantedOutputs(request, outputs, runner),
  };
}

/** A request's `timeout`, and how long its caller waits, count from when its head arrived. */
export function limitsOf(request: InferRequest, arrivedAtMs: number, { req }: Context): RunLimits {
  return {
    ...deadlineOf(request, arrivedAtMs, req.header(withinHeader)),
    // Making the signal costs as much as refusing a request, so only one that is accepted asks for it.
    get hungUp() {
      return req.raw.signal;
    },
  };
}

/** @param within how long the caller waits, as it says in its head */
export function deadlineOf(
  request: InferRequest,
  arrivedAtMs: number,
  within: string | undefined,
): Pick<RunLimits, "deadlineAtMs"> {
  const timeoutMs = (timeoutUsOf(request) ?? Infinity) / 1_000;
  const withinMs = Math.min(timeoutMs, withinMsOf(within) ?? Infinity);
  return withinMs < Infinity ? { deadlineAtMs: arrivedAtMs + withinMs } : {};
}

/**
 * The inputs that have rows must have as many, and not too many. A state of a fixed size beside the samples, or a scalar,
 * has none.
 *
 * @throws ProtocolError
 */
function checkRows({ inputs }: InferRequest, { model, metadata }: ModelRunner, most: number): void {
  // Before the first call of a function has loaded its model, rows are what all inputs have in common.
  const isCommon = metadata === undefined && commonRows(inputs) !== undefined;
  const withRows = inputs.filter(
    (input) => isCommon || metadata?.inputs.find(({ name }) => name === input.name)?.shape[0] === -1,
  );
  const [first] = withRows;
  if (first === undefined) return;
  const rows = first.shape[0] ?? 0;
  const other = withRows.find(({ shape }) => shape[0] !== rows);
  if (other !== undefined)
    throw new ProtocolError(
      `input "${first.name}" has ${rows} rows and input "${other.name}" has ${other.shape[0] ?? "none"}; ` +
        `all inputs of model "${model.name}" must have as many rows`,
    );
  if (rows > most)
    throw new ProtocolError(
      `the request has ${rows} rows; allowed: at most ${most} for model "${model.name}"`,
    );
}

/** @throws ProtocolError when the request asks for what the model does not have */
function checkOutputs({ outputs = [] }: InferRequest, { metadata }: ModelRunner): void {
  for (const output of outputs) {
    classesWanted(output);
    const known = metadata?.outputs;
    if (known === undefined || known.some(({ name }) => name === output.name)) continue;
    throw unknownOutput(output.name, known);
  }
}

function wantedOutputs(
  request: InferRequest,
  outputs: readonly Tensor[],
  { model, metadata }: ModelRunner,
): Tensor[] {
  if (request.outputs === undefined) return [...outputs];
  return request.outputs.map((wanted) => {
    const output = outputs.find(({ name }) => name === wanted.name);
    if (output === undefined) throw unknownOutput(wanted.name, outputs);
    const classes = classesWanted(wanted);
    if (classes === undefined) return output;
    const hasRows = metadata?.outputs.find(({ name }) => name === wanted.name)?.shape[0] === -1;
    return classify(output, classes, { labels: labelsOf(model), hasRows });
  });
}

function unknownOutput(name: string, known: readonly { readonly name: string }[]): ProtocolError {
  return new ProtocolError(
    `no output ${showValue(name)}; allowed: ${known.map((each) => each.name).join(", ")}`,
  );
}

/** The labels of a model without a handler, which has made them part of its outputs. */
function labelsOf({ config, handler }: ModelFile): readonly string[] | undefined {
  return typeof config?.labels === "string" || handler !== undefined ? undefined : config?.labels;
}
