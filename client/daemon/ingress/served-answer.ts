/** What the endpoints of the queue that run a model share: what a model takes, how its answer is told, and how an error is. */
import type { Context } from "hono";
import type { AccessGate } from "../../../base/access/access-gate.ts";
import { SpillwayError } from "../../../base/errors.ts";
import type { InferResponse, ModelMetadata } from "../../../protocol/message.ts";
import { dataBytes, type Parameters, type Tensor } from "../../../protocol/tensor.ts";
import { traceContextOf } from "../../../protocol/trace-context.ts";
import type { Served } from "../../queue/request.ts";
import { type LaneHints, laneHeader, tenantHeader } from "../lanes.ts";
import type { ModelDirectory } from "../model-directory.ts";
import { metadataIn } from "./known-configuration.ts";

/** A model's metadata, which may be a few seconds old; undefined when no server gives any that makes sense. */
export async function metadataOf(models: ModelDirectory, model: string): Promise<ModelMetadata | undefined> {
  const { status, body } = await models.describeLately(model);
  return status === 200 ? metadataIn(body) : undefined;
}

/** The same for an endpoint that makes requests itself. Rejects with a SpillwayError when nobody says what the model takes. */
export async function neededMetadata(models: ModelDirectory, model: string): Promise<ModelMetadata> {
  const metadata = await metadataOf(models, model);
  if (metadata !== undefined) return metadata;
  throw new SpillwayError(
    "request_rejected",
    `no server says what model "${model}" takes; send V2 requests with their tensors instead`,
  );
}

/** What a request holds once it is read: JSON of one digit becomes up to eight bytes. */
export function tensorBytes(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, tensor) => sum + dataBytes(tensor), 0);
}

/** The answer, and where and how it was served. */
export function withFacts({
  answer,
  target,
  batchRows,
  queuedMs,
  parts,
}: Served<InferResponse>): InferResponse {
  const { modelName, modelVersion, id, outputs } = answer;
  // In this order, because fields that follow a spread take microseconds each.
  const parameters: Parameters = { spillway_target: "", ...answer.parameters };
  parameters["spillway_target"] = target;
  parameters["spillway_batch_rows"] = batchRows;
  parameters["spillway_waited_ms"] = queuedMs;
  if (parts !== undefined) parameters["spillway_rows_by_target"] = rowsByTarget(parts);
  return { modelName, modelVersion, id, parameters, outputs };
}

/** Such as `edge=40,small=24`: who answered how many rows of a request that was split. */
function rowsByTarget(parts: NonNullable<Served<InferResponse>["parts"]>): string {
  const rows = new Map<string, number>();
  for (const { target, fromRow, toRow } of parts) rows.set(target, (rows.get(target) ?? 0) + toRow - fromRow);
  return Array.from(rows, ([target, count]) => `${target}=${count}`).join(",");
}

/** What a caller says of lane and tenant in the head of a request. */
export function hintsOf(context: Context, gate: AccessGate): LaneHints {
  const [lane, tenant] = [context.req.header(laneHeader), context.req.header(tenantHeader)];
  const trace = traceContextOf(context.req.header("traceparent"), context.req.header("tracestate"));
  return { lane, tenant, key: gate.keyOf(context), trace };
}

/** The error as it is, or one that is sent with a Retry-After header where it says when to come back. */
export function withRetryAfter(error: unknown): unknown {
  if (!(error instanceof SpillwayError) || error.retryAfterMs === undefined) return error;
  return new TryLaterError(error, error.retryAfterMs / 1_000);
}

class TryLaterError extends SpillwayError {
  readonly retryAfterS: number;

  constructor({ code, message }: SpillwayError, retryAfterS: number) {
    super(code, message);
    this.retryAfterS = retryAfterS;
  }
}
