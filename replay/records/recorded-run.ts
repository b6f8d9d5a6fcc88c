/**
 * Replays the record of a run: feeds its events to a queue at the recorded times and collects what the queue
 * decides now. The same queue and policy must decide exactly as they did.
 */
import type { Clock } from "../../base/clock.ts";
import { SpillwayError } from "../../base/errors.ts";
import {
  asRecorded,
  type ErrorFacts,
  type QueueEvent,
  type QueueInput,
  type QueueOutput,
  type TargetFacts,
} from "../../client/queue/queue-event.ts";
import type { Policy } from "../../client/policies/policy.ts";
import { makePolicy } from "../../client/policies/make-policy.ts";
import { listedNameOfKey, modelOfKey } from "../../client/policies/queue-key.ts";
import type { PlanRecord } from "../../client/daemon/observe/observer.ts";
import type { RecordHeader } from "../../client/daemon/observe/recorder.ts";
import type { Ticket } from "../../client/queue/request.ts";
import type { BatchResult, Target } from "../../client/targets/target.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";

const recordFormat: string = "spillway-record/2";

/** What the queue and its policy decided. */
export type RecordedDecision = QueueOutput | PlanRecord;

/** A parsed record: its header, what happened, and what was decided. */
export interface RecordedRun {
  readonly header: RecordHeader;
  readonly inputs: readonly QueueInput[];
  readonly outputs: readonly RecordedDecision[];
  /** Line of the file for each of `outputs`, counted from 1. */
  readonly outputLines: readonly number[];
}

/** Watches the replay of a record. */
export interface ReplayObserver {
  /** Called for every event of the replayed queue and every plan of its policy, in order. */
  onEvent?(event: QueueEvent | PlanRecord): void;
  /** Wraps the policy: the result must decide like it, and may note what it is shown. */
  watch?(policy: Policy): Policy;
}

/** One line of a record. */
export interface RecordedLine {
  /** Counted from 1, in its file. */
  readonly number: number;
  readonly value: RecordHeader | QueueEvent | PlanRecord;
}

/** @throws Error that names file and line when a line is not JSON or the header is missing */
export function parseRecord(text: string, file: string): RecordedRun {
  return runOfLines([...parseLines(Buffer.from(text.trimEnd()), file)], file);
}

/** @throws Error that names file and line when a line is not JSON, or no event */
export function* parseLines(bytes: Buffer, file: string): Generator<RecordedLine> {
  let number = 0;
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(10, from);
    const line = bytes.toString("utf8", from, end === -1 ? bytes.length : end);
    from = end === -1 ? bytes.length : end + 1;
    number++;
    let value: { kind?: unknown } | null;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new Error(`${file}:${number}: ${(error as Error).message}`, { cause: error });
    }
    if (typeof value?.kind !== "string")
      throw new Error(`${file}:${number}: not an event of a record: ${line.slice(0, 80)}`);
    yield { number, value: value as RecordedLine["value"] };
  }
}

/** @throws Error that names file and line when the header is missing, or of another format */
export function runOfLines(lines: readonly RecordedLine[], file: string): RecordedRun {
  const header = lines[0]?.value;
  if (header?.kind !== "header" || header.format === undefined)
    throw new Error(`${file}:1: no header of format ${recordFormat}`);
  const { format }: { readonly format: string } = header;
  if (format !== recordFormat) throw new Error(`${file}:1: format is ${format}; allowed: ${recordFormat}`);
  if (!isWholeHeader(header)) throw new Error(`${file}:1: the header lacks policy, targets or sloMs`);
  const inputs: QueueInput[] = [];
  const outputs: RecordedDecision[] = [];
  const outputLines: number[] = [];
  for (const { number, value } of lines.slice(1)) {
    if (value.kind === "header") throw new Error(`${file}:${number}: a second header`);
    if (!isWholeEvent({ ...value })) throw new Error(`${file}:${number}: the ${value.kind} lacks a field`);
    if (isDecision(value)) {
      outputs.push(value);
      outputLines.push(number);
    } else inputs.push(value);
  }
  return { header, inputs, outputs, outputLines };
}

function isWholeHeader({ policy, targets, sloMs }: Partial<RecordHeader>): boolean {
  return typeof policy?.name === "string" && Array.isArray(targets) && typeof sloMs === "number";
}

/** Whether it has what is read of it before the queue checks it. */
function isWholeEvent(event: Readonly<Record<string, unknown>>): boolean {
  const { kind, atMs, key, rows, requests, target } = event;
  if (typeof atMs !== "number") return false;
  if (kind === "arrival") return typeof key === "string" && typeof rows === "number";
  if (kind === "batch")
    return typeof key === "string" && typeof target === "string" && Array.isArray(requests);
  return true;
}

export function isDecision(event: QueueEvent | PlanRecord): event is RecordedDecision {
  return decisionKinds.has(event.kind);
}

const decisionKinds: ReadonlySet<string> = new Set(["batch", "postponed", "barred", "end", "plan"]);

/** A clock that shows the recorded times: it stands still between events, and the record fires its timers. */
class RecordedClock implements Clock {
  atMs = 0;
  fire: () => void = () => {};

  nowMs(): number {
    return this.atMs;
  }

  createTimer(fire: () => void): { setAt(): void; clear(): void } {
    this.fire = fire;
    return { setAt: () => {}, clear: () => {} };
  }
}

/**
 * What the queue decides when the same things happen to it at the same times.
 *
 * @throws Error when the record holds the result of a batch that the queue does not form
 */
export function replayRecord(
  { header, inputs }: Pick<RecordedRun, "header" | "inputs">,
  observer: ReplayObserver = {},
): RecordedDecision[] {
  const clock = new RecordedClock();
  const outputs: RecordedDecision[] = [];
  const underWay = new Map<number, (result: BatchResult<undefined>) => void>();
  const tickets: Ticket[] = [];
  /** The targets' refusals that the current event led to. */
  let refusals: Refusal[] = [];
  const targetOf = (target: TargetFacts): Target<undefined, undefined> => {
    return {
      ...target,
      admit: ({ id }) => {
        const [next] = refusals;
        if (next?.target !== target.name || next.batch !== id) return undefined;
        refusals = refusals.slice(1);
        return errorOf(next);
      },
      send: (batch, done) => void underWay.set(batch.id, done),
    };
  };
  const sizes = new Map<number, number>();
  const policy = makePolicy(header.policy, header.sloMs, {
    onPlan: (key, change) => {
      const plan: PlanRecord = { kind: "plan", key, ...change };
      outputs.push(plan);
      observer.onEvent?.(plan);
    },
  });
  const queue = new VirtualQueue<undefined, undefined>({
    clock,
    policy: observer.watch?.(policy) ?? policy,
    targets: header.targets.map(targetOf),
    modelOf: modelOfKey,
    listedAs: listedNameOfKey,
    sloMs: header.sloMs,
    maxQueuedRows: header.maxQueuedRows,
    maxBytes: header.maxBytes,
    maxAttempts: header.maxAttempts,
    lanes: header.lanes,
    joinAnswers: () => undefined,
    seed: header.seed,
    observe: (event) => {
      if (event.kind === "batch") sizes.set(event.id, event.requests.length);
      if (isDecision(event)) outputs.push(asRecorded(event));
      observer.onEvent?.(event);
    },
  });
  for (const [index, input] of inputs.entries()) {
    if (input.kind === "refusal") continue;
    refusals = refusalsAfter(inputs, index);
    clock.atMs = input.atMs;
    switch (input.kind) {
      case "arrival": {
        const { kind: _, id: __, atMs: ___, ...submission } = input;
        tickets.push(queue.submit({ payload: undefined, ...submission }, () => {}));
        break;
      }
      case "cancel":
        queue.cancel(tickets[input.id] as Ticket);
        break;
      case "timer":
        clock.fire();
        break;
      case "close":
        queue.close();
        break;
      case "target-added": {
        const { known, models, fault } = input;
        const target = targetOf(input.target);
        queue.changeTargets({ kind: "add", target, known, models, fault: fault && errorOf(fault) });
        break;
      }
      case "target-removed":
        queue.changeTargets({ kind: "remove", name: input.target });
        break;
      case "target-models":
        queue.changeTargets({
          kind: "models",
          name: input.target,
          models: input.models ?? undefined,
          measured: input.measured,
        });
        break;
      case "result": {
        const done = underWay.get(input.batch);
        if (done === undefined) throw new Error(`batch ${input.batch} of the record was not formed`);
        underWay.delete(input.batch);
        done(resultOf(input, sizes.get(input.batch) as number));
        break;
      }
    }
  }
  return outputs;
}

type Refusal = QueueInput & { readonly kind: "refusal" };

function refusalsAfter(inputs: readonly QueueInput[], index: number): Refusal[] {
  const refusals: Refusal[] = [];
  for (let at = index + 1; inputs[at]?.kind === "refusal"; at++) refusals.push(inputs[at] as Refusal);
  return refusals;
}

function resultOf(input: QueueInput & { kind: "result" }, requests: number): BatchResult<undefined> {
  const { unanswered: failed = [], cost } = input;
  const unanswered = new Map(failed.map((each) => [each.index, errorOf(each)]));
  if (!input.ok) {
    const result = { ok: false, error: errorOf(input), unanswered } as const;
    return cost === undefined ? result : { ...result, cost };
  }
  const { serviceMs, serverQueuedMs, coldStartMs } = input;
  const answers = Array.from({ length: requests - failed.length }, () => undefined);
  return { ok: true, answers, unanswered, serviceMs, serverQueuedMs, coldStartMs, cost: input.cost };
}

function errorOf({ code, message, retryAfterMs, isOfTarget }: ErrorFacts): SpillwayError {
  return new SpillwayError(code, message, { retryAfterMs, isOfTarget });
}
