/** Runs on a replica what finds out whether requests may share runs: the proof when a model is loaded, and later checks. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Tensor } from "../../protocol/tensor.ts";
import { cutRows } from "../../protocol/stack.ts";
import { type CheckEnd, Joining, type JoinState, type LoadProof } from "../joining/joining.ts";
import { ProofStopped, proveAtLoad } from "../joining/prove-at-load.ts";
import { rowStructure } from "../joining/row-structure.ts";
import type { ModelFile } from "../models/model-runner.ts";
import type { EventList } from "../observe/events.ts";
import type { BatchTimes } from "./batch-times.ts";
import type { ModelBatch, ModelQueue } from "./model-queue.ts";
import type { PendingRequest } from "./pending-request.ts";
import type { LoadedModel, RunEnd } from "./replica.ts";

/** How long a proof at load should take, and how long it may hold a model back that is loaded, in milliseconds. */
const proofMs = { planned: 1_000, longest: 3_000 };

/** `joinTolerance` where the settings do not say. Scales that follow the batch change answers by about a hundredth. */
const usualTolerance = { others: 0.005, quantised: 0.05 };

/** The part of a supervisor that proofs need. */
export interface ProvingReplica {
  readonly isFree: boolean;
  readonly state: string;
  run(inputs: readonly Tensor[], rows: readonly number[], limitMs: number): Promise<RunEnd>;
}

export interface JoinProverOptions {
  readonly model: ModelFile;
  readonly maxBatchRows: number;
  readonly runTimeoutMs: number;
  readonly log: Logger;
}

/** What is known of a model's rows by its settings and its tensors. Changes are added to the events and to the log. */
export function joiningOf(
  { metadata, dimensions, quantisesDynamically = false }: LoadedModel,
  { model, maxBatchRows: mostRows, log }: JoinProverOptions,
  events: EventList,
): Joining {
  const { joinRows, joinTolerance } = model.config ?? {};
  const tolerance =
    joinTolerance ?? (quantisesDynamically ? usualTolerance.quantised : usualTolerance.others);
  const onChange = (state: JoinState, reason: string): void => {
    const isEnd = state === "disproved";
    const text = isEnd ? "requests run singly from now on" : "requests share runs from now on";
    events.add(`${text}: ${reason}`);
    log[isEnd ? "warn" : "info"]({ model: model.name, reason }, text);
  };
  const structure = rowStructure(metadata, dimensions);
  return new Joining({ structure, joinRows, tolerance, mostRows, onChange });
}

/**
 * Settle what can be known before the model serves. Never rejects; takes at most about three seconds.
 *
 * @param untilChange resolves when the replica may be free
 * @param onFree called when a run ends that took longer than that
 */
export async function learnAtLoad(
  joining: Joining,
  replica: ProvingReplica,
  { metadata, dimensions }: LoadedModel,
  { model, runTimeoutMs, log }: JoinProverOptions,
  untilChange: () => Promise<unknown>,
  onFree: () => void,
): Promise<void> {
  if (joining.state !== "unproved" || joining.mostRows < 2) return;
  const startedAtMs = performance.now();
  const ended = new AbortController();
  const run = async (inputs: readonly Tensor[], rows: readonly number[]): Promise<readonly Tensor[]> => {
    // A ping may be under way.
    while (!replica.isFree && replica.state === "up" && !ended.signal.aborted) await untilChange();
    if (!replica.isFree || ended.signal.aborted) throw new ProofStopped("the proof was stopped");
    const end = await replica.run(inputs, rows, runTimeoutMs);
    if (ended.signal.aborted) onFree();
    if (end.kind === "died") throw new ProofStopped(`a replica ended: ${end.reason}`);
    if (end.kind === "failed") throw end.error;
    const fault = end.result.faults?.find((each) => each !== undefined);
    if (fault !== undefined) throw new Error(fault.message);
    return end.result.outputs;
  };
  const { warmUp = [] } = model.config ?? {};
  const proving = proveAtLoad({
    metadata,
    dimensions,
    known: [...warmUp, ...(model.exampleShapes === undefined ? [] : [model.exampleShapes])],
    fixedRows: rowStructure(metadata).fixedRows,
    tolerance: joining.tolerance,
    mostRows: joining.mostRows,
    run,
    nowMs: () => performance.now(),
    withinMs: proofMs.planned,
  }).catch((error: Error) => unproved(error.message));
  const late = delay(proofMs.longest, undefined, { signal: ended.signal }).then(
    () => unproved("the model takes too long to prove it when it is loaded"),
    () => unproved("the proof was stopped"),
  );
  const found = await Promise.race([proving, late]);
  ended.abort();
  const tookMs = performance.now() - startedAtMs;
  joining.proofAtLoad(found, tookMs);
  const { state, reason } = joining;
  log.info({ model: model.name, state, reason, proofMs: Math.round(tookMs) }, "joining of rows");
}

/** Run the check that is due, if one is, and tell the model's joining how it ended. */
export function runNextCheck(
  joining: Joining,
  queue: ModelQueue<PendingRequest>,
  replica: ProvingReplica,
  times: BatchTimes,
): Promise<void> | undefined {
  const check = joining.nextCheck(!queue.hasWork, (key) => queue.hasWaiting(key));
  if (check === undefined) return undefined;
  const startedAtMs = performance.now();
  const bytes = check.inputs.reduce((sum, { data }) => sum + data.byteLength, 0);
  return replica.run(check.inputs, check.rows, times.limitMs(bytes)).then((end) => {
    joining.checked(check, checkEnd(end), performance.now() - startedAtMs);
  });
}

/**
 * The outputs of each request that a run has served, which the model's joining learns from. A lone request gets them as
 * they are. Undefined when the run had several and mixed them, or it turned out meanwhile that the model does.
 */
export function answersOf(
  joining: Joining,
  { requests }: ModelBatch<PendingRequest>,
  served: readonly PendingRequest[],
  outputs: readonly Tensor[],
  ms: number,
): readonly (readonly Tensor[])[] | undefined {
  let parts: readonly (readonly Tensor[])[] = [outputs];
  try {
    const rows = served.map((each) => each.rows);
    if (requests.length > 1) parts = rows.length === 0 ? [] : cutRows(outputs, rows);
  } catch (error) {
    joining.mixed((error as Error).message);
  }
  if (requests.length > 1 && !joining.joinsRows) return undefined;
  if (!joining.isInQuestion) {
    joining.ran(requests[0]?.key, [], ms);
    return parts;
  }
  const ran = served.map((each, index) => {
    return { inputs: each.request.inputs, rows: each.rows, outputs: parts[index] ?? [] };
  });
  joining.ran(requests[0]?.key, ran, ms);
  return parts;
}

function checkEnd(end: RunEnd): CheckEnd {
  if (end.kind === "died") return { kind: "died", why: end.reason };
  if (end.kind === "failed") return { kind: "failed", why: end.error.message };
  const { outputs, faults } = end.result;
  return faults?.some((each) => each !== undefined) === true
    ? { kind: "void" }
    : { kind: "answered", outputs };
}

function unproved(reason: string): LoadProof {
  return { state: "unproved", reason, proofs: 0, largestDifference: 0, shapes: 0 };
}
