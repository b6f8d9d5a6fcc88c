/** Replays the record of a daemon and compares: does the queue decide today what it decided then? */
import { isDeepStrictEqual } from "node:util";
import { asRecorded } from "../../client/queue/queue-event.ts";
import { type RequestStory, type RecordedEvent, StoryCollector } from "./explain.ts";
import { MomentCollector, type MomentSeen } from "./explain-moment.ts";
import { isDecision, type RecordedDecision, type RecordedRun, replayRecord } from "./recorded-run.ts";

/** The first decision that is not as recorded. */
export interface RecordDifference {
  /** Number of the decision, counted from 0. */
  readonly index: number;
  /** Line of the record; null when the record has no such decision. */
  readonly line: number | null;
  /** Null when nothing was recorded any more. */
  readonly recorded: RecordedDecision | null;
  /** Null when the queue decides nothing any more. */
  readonly now: RecordedDecision | null;
  /** Why the replay stopped, if it did. */
  readonly fault?: string;
}

/** What a record holds of one target. */
export interface RecordedTarget {
  /** Requests that it answered. */
  answered: number;
  batches: number;
  failedBatches: number;
  rows: number;
  /** Batches by the reason for which they left. */
  readonly reasons: Record<string, number>;
}

export interface RecordSummary {
  readonly policy: string;
  readonly sloMs: number;
  readonly events: number;
  /** Time of the first event, to which all times of the summary and of stories are relative for a person. */
  readonly startAtMs: number;
  readonly spanMs: number;
  /** Requests by how they ended; `open` had not ended when the record did. */
  readonly requests: Readonly<Record<"arrived" | "open", number>> & Readonly<Record<string, number>>;
  readonly targets: Readonly<Record<string, RecordedTarget>>;
  readonly plans: { readonly made: number; readonly adopted: number };
}

export interface RecordCheck {
  readonly summary: RecordSummary;
  /** How many decisions were recorded. */
  readonly decisions: number;
  /** Undefined when the queue decides the same. */
  readonly difference: RecordDifference | undefined;
  readonly stories: readonly RequestStory[];
  /** Undefined unless it was asked for. */
  readonly moment: MomentSeen | undefined;
}

/**
 * @param explain ids of requests whose stories are told as well
 * @param atMs a moment of the record's clock that is told of as well
 */
export function checkRecord(run: RecordedRun, explain: Iterable<number>, atMs?: number): RecordCheck {
  const collector = new StoryCollector(explain);
  const moment = atMs === undefined ? undefined : new MomentCollector(atMs);
  const now: RecordedDecision[] = [];
  let fault: string | undefined;
  try {
    replayRecord(run, {
      onEvent: (event) => {
        if (isDecision(event)) now.push(event);
        collector.onEvent(event);
        moment?.onEvent(event);
      },
      watch: (policy) => {
        const watched = collector.watch(policy);
        return moment?.watch(watched) ?? watched;
      },
    });
  } catch (error) {
    fault = (error as Error).message;
  }
  const { stories } = collector;
  const difference = firstDifference(run, now, fault);
  const summary = summaryOf(run);
  return { summary, decisions: run.outputs.length, difference, stories, moment: moment?.moment };
}

/** Requests that were not served in time, in the order of their ends. Those that callers cancelled do not count. */
export function lostRequests({ outputs }: RecordedRun): number[] {
  return outputs.flatMap((output) =>
    output.kind === "end" && output.outcome !== "served" && output.outcome !== "cancelled" ? [output.id] : [],
  );
}

function firstDifference(
  run: RecordedRun,
  now: readonly RecordedDecision[],
  fault: string | undefined,
): RecordDifference | undefined {
  const { outputs, outputLines } = run;
  for (let index = 0; index < Math.max(outputs.length, now.length); index++) {
    const [recorded, decided] = [outputs[index], now[index]];
    if (recorded !== undefined && decided !== undefined && isSame(recorded, decided)) continue;
    // A record may be cut between an event and what was decided upon it.
    if (recorded === undefined && summaryOf(run).requests.open > 0) return undefined;
    return {
      index,
      line: outputLines[index] ?? null,
      recorded: recorded ?? null,
      now: decided ?? null,
      ...(fault === undefined ? {} : { fault }),
    };
  }
  if (fault === undefined) return undefined;
  return { index: outputs.length, line: null, recorded: null, now: null, fault };
}

/** As a record keeps both: JSON has neither undefined nor Infinity. */
function isSame(recorded: RecordedDecision, now: RecordedDecision): boolean {
  return isDeepStrictEqual(recorded, JSON.parse(JSON.stringify(asRecorded(now))));
}

function summaryOf({ header, inputs, outputs }: RecordedRun): RecordSummary {
  const targets: Record<string, RecordedTarget> = {};
  const added = inputs.flatMap((input) => (input.kind === "target-added" ? [input.target] : []));
  for (const { name } of [...header.targets, ...added])
    targets[name] = { answered: 0, batches: 0, failedBatches: 0, rows: 0, reasons: {} };
  const targetOfBatch = new Map<number, RecordedTarget>();
  const targetOfRequest = new Map<number, RecordedTarget>();
  const ends: Record<string, number> = { served: 0, late: 0, refused: 0, cancelled: 0, failed: 0 };
  const plans = { made: 0, adopted: 0 };
  let ended = 0;
  for (const output of outputs) {
    if (output.kind === "plan") {
      plans.made++;
      if (output.isAdopted) plans.adopted++;
    } else if (output.kind === "batch") {
      const target = targets[output.target];
      if (target === undefined) continue;
      target.batches++;
      target.rows += output.rows;
      target.reasons[output.reason] = (target.reasons[output.reason] ?? 0) + 1;
      targetOfBatch.set(output.id, target);
      for (const id of output.requests) targetOfRequest.set(id, target);
    } else if (output.kind === "end") {
      ended++;
      ends[output.outcome] = (ends[output.outcome] ?? 0) + 1;
      const target = targetOfRequest.get(output.id);
      if (target !== undefined && (output.outcome === "served" || output.outcome === "late"))
        target.answered++;
    }
  }
  let arrived = 0;
  for (const input of inputs) {
    if (input.kind === "arrival") arrived++;
    const target = input.kind === "result" && !input.ok ? targetOfBatch.get(input.batch) : undefined;
    if (target !== undefined) target.failedBatches++;
  }
  const events: readonly RecordedEvent[] = [...inputs, ...outputs];
  const startAtMs = events.reduce((least, { atMs }) => Math.min(least, atMs), Infinity);
  const endAtMs = events.reduce((most, { atMs }) => Math.max(most, atMs), -Infinity);
  return {
    policy: header.policy.name,
    sloMs: header.sloMs,
    events: events.length,
    startAtMs: events.length === 0 ? 0 : startAtMs,
    spanMs: events.length === 0 ? 0 : endAtMs - startAtMs,
    requests: { arrived, ...ends, open: arrived - ended },
    targets,
    plans,
  };
}
