/** A request in the virtual queue: what its owner submits, its state, and how it ends. */
import type { Reason } from "../policies/reasons/reason.ts";
import type { ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { WaitingRequest } from "../policies/policy.ts";
import type { BatchPart } from "../targets/target.ts";
import type { Outcome } from "./queue-event.ts";
import type { Blame } from "../targets/target-state.ts";
import type { EligibleTargets } from "./eligible-targets.ts";
import type { SplitRequest } from "./split-request.ts";

/** One request as its owner submits it. */
export interface Submission<In> {
  readonly payload: In;
  /** Only requests with equal keys share a batch. Default: "". */
  readonly key?: string;
  /** Rows of the request's batch dimension, an integer from 1. Default: 1. */
  readonly rows?: number;
  /** Size in bytes, which counts against the queue's bound, 0 or more. Default: 0. */
  readonly bytes?: number;
  /** Time from arrival to deadline in milliseconds, above 0. Default: the queue's SLO. */
  readonly sloMs?: number;
  /**
   * Whether what one target says of the request itself holds for all targets; false where their versions of the model
   * differ. Default: true.
   */
  readonly isFinalAnywhere?: boolean;
  /** Name of its lane; one of the queue's. Default: "", which has the queue's own SLO and bounds. */
  readonly lane?: string;
  /** On whose behalf: the tenants of a lane share the edges row by row. Default: "". */
  readonly tenant?: string;
  /**
   * Whether its rows may be served apart: in any number of batches, of any targets. The queue must know how to join their
   * answers. Default: false.
   */
  readonly isSplittable?: boolean;
}

/** A request that was answered; `late` when the answer came after its deadline. */
export interface Served<Out> {
  readonly outcome: "served" | "late";
  readonly answer: Out;
  /** Name of the target that answered. */
  readonly target: string;
  /** Rows of the batch that the request was part of. */
  readonly batchRows: number;
  /** Time from arrival until that batch was sent, in milliseconds. */
  readonly queuedMs: number;
  /** Time the model ran, as the server measured it; undefined when the server does not report it. */
  readonly serviceMs: number | undefined;
  /** Who answered which of its rows, in order, where it was split. */
  readonly parts?: readonly ServedRows[];
}

/** Some of the rows of a split request, and who answered them. */
export interface ServedRows {
  readonly target: string;
  readonly fromRow: number;
  /** The row after the last one. */
  readonly toRow: number;
}

/** A request that was not answered, and why. */
export interface Unserved {
  readonly outcome: Exclude<Outcome, "served" | "late">;
  readonly error: SpillwayError;
  /** Why the policy gave it up, where it did. */
  readonly why?: Reason;
}

/** How a request ended, told to its owner exactly once. */
export type End<Out> = Served<Out> | Unserved;

/** A handle to a submitted request, with which it can be cancelled. */
export interface Ticket {
  readonly id: number;
}

/** A request that has arrived, with its defaults filled in. */
export interface NewRequest<In, Out> extends Required<Submission<In>> {
  /** Counts from 0 over all requests of the queue. */
  readonly id: number;
  readonly arrivedAtMs: number;
  readonly eligible: EligibleTargets;
  readonly done: (end: End<Out>) => void;
}

/**
 * @param sloMs of a request that names none
 * @throws RangeError when rows, bytes or SLO are outside their range
 */
export function checkedSubmission<In>(given: Submission<In>, defaultSloMs: number): Required<Submission<In>> {
  const { payload, key = "", rows = 1, bytes = 0, sloMs = defaultSloMs, isFinalAnywhere = true } = given;
  if (!Number.isInteger(rows) || rows < 1)
    throw new RangeError(`rows is ${rows}; allowed: an integer from 1`);
  if (!(bytes >= 0)) throw new RangeError(`bytes is ${bytes}; allowed: 0 or more`);
  if (!(sloMs > 0)) throw new RangeError(`sloMs is ${sloMs}; allowed: above 0`);
  const { lane = "", tenant = "", isSplittable = false } = given;
  return { payload, key, rows, bytes, sloMs, isFinalAnywhere, lane, tenant, isSplittable };
}

/**
 * The queue's own record of a request, or of one row of a split one: what waits in a line. It is also the batch part that
 * holds just that.
 */
export class QueuedRequest<In, Out> implements Ticket, WaitingRequest, BatchPart<In> {
  /** Of the whole request. */
  readonly id: number;
  readonly key: string;
  readonly lane: string;
  readonly tenant: string;
  readonly payload: In;
  /** The request that this is one row of; undefined where it is a request of its own. */
  readonly whole: SplitRequest<In, Out> | undefined;
  readonly fromRow: number;
  readonly rows: number;
  readonly bytes: number;
  readonly arrivedAtMs: number;
  readonly sloMs: number;
  readonly deadlineAtMs: number;
  readonly isFinalAnywhere: boolean;
  readonly done: (end: End<Out>) => void;
  eligible: EligibleTargets;
  attempts = 0;
  /** How long after its deadline it is refused while it waits; above 0 when it was postponed. */
  graceMs = 0;
  /** What its failed calls tell; undefined while none has failed, which is cheap for the many. */
  past: PastFailures | undefined = undefined;
  /** Why it may no longer be sent to functions; undefined while it may. */
  barredFor: SpillwayError | undefined = undefined;
  /** Why a target did not admit it last; undefined once it was sent. */
  notAdmittedFor: SpillwayError | undefined = undefined;
  inFlight = false;
  /** Set once, when the request ends. */
  end: End<Out> | undefined = undefined;

  /** @param row of a split request; undefined for a request of its own */
  constructor(
    {
      id,
      key,
      lane,
      tenant,
      payload,
      rows,
      bytes,
      arrivedAtMs,
      sloMs,
      isFinalAnywhere,
      eligible,
      done,
    }: NewRequest<In, Out>,
    row?: { readonly whole: SplitRequest<In, Out>; readonly index: number },
  ) {
    this.id = id;
    this.key = key;
    this.lane = lane;
    this.tenant = tenant;
    this.payload = payload;
    this.whole = row?.whole;
    this.fromRow = row === undefined ? 0 : row.index;
    this.rows = row === undefined ? rows : 1;
    this.bytes = row === undefined ? bytes : bytes / rows;
    this.arrivedAtMs = arrivedAtMs;
    this.sloMs = sloMs;
    this.deadlineAtMs = arrivedAtMs + sloMs;
    this.isFinalAnywhere = isFinalAnywhere;
    this.eligible = eligible;
    this.done = done;
  }

  get request(): this {
    return this;
  }

  get others(): readonly this[] {
    return none;
  }

  get toRow(): number {
    return this.fromRow + this.rows;
  }

  /** Why the last attempt failed. */
  get lastFailure(): SpillwayError | undefined {
    return this.past?.last;
  }

  /**
   * A batch that carried it failed at the target with that index. Blamed itself for the first time, it may be tried once
   * more, but not at the cost of functions if an edge has shown that it is to blame.
   *
   * @param company requests of the batch, if one of them may have hung its call or ended its process; else 0
   */
  failed(error: SpillwayError, target: number, blame: Blame | undefined, company: number): void {
    const isFunction = this.eligible.targets[target]?.kind === "serverless";
    const past = (this.past ??= new PastFailures(error));
    this.notAdmittedFor = undefined;
    past.add(error, this.eligible.serialAt(target), isFunction, company);
    if (blame === "request") {
      past.acquitted = this.eligible;
      past.mostRequests = 1;
      const mayCost = isFunction || !this.isFinalAnywhere;
      this.eligible = (mayCost ? this.eligible : this.eligible.withoutFunctions()).as("suspect");
      return;
    }
    this.eligible = past.acquitted ?? this.eligible;
    past.acquitted = undefined;
    if (blame === "model") this.eligible = this.eligible.as("failed");
    if (endsThere.has(error.code)) this.eligible = this.eligible.without(target);
    // Another target may have the memory or the time; the last one that is left may have it later.
    if (passesThere.has(error.code) && this.eligible.sizeFor(this.key) > 1)
      this.eligible = this.eligible.without(target);
  }

  /** What this target says of it may not hold for the others: it goes on to them, if there are any. */
  onlyElsewhere(target: number): void {
    this.eligible = (this.past?.acquitted ?? this.eligible).without(target);
    if (this.past !== undefined) this.past.acquitted = undefined;
  }

  /** How often a target failed it for what may have been its own fault. */
  attemptsAt(target: number): number {
    return this.past?.at.get(this.eligible.serialAt(target))?.counted ?? 0;
  }

  /** It will be late, and waits for an edge until so long after its deadline. */
  postpone(graceMs: number): void {
    this.graceMs = graceMs;
    this.eligible = this.eligible.withoutFunctions();
  }

  /** From now on it may not be sent to functions. */
  barFunctions(error: SpillwayError): void {
    this.barredFor = error;
    this.eligible = this.eligible.withoutFunctions();
    if (this.past !== undefined) this.past.acquitted = this.past.acquitted?.withoutFunctions();
  }
}

const none: readonly never[] = [];

/** With such an error the target will not serve the request later either. */
const endsThere: ReadonlySet<ErrorCode> = new Set([
  "target_denied",
  "model_not_found",
  "request_too_large",
  "answer_rejected",
]);
/** With such an error the target may serve the request later, and another one now. */
const passesThere: ReadonlySet<ErrorCode> = new Set(["out_of_memory", "overloaded"]);
/** Errors that tell of a target alone: they do not count as attempts, because its pauses bound them. */
const ofTargetAlone: ReadonlySet<ErrorCode> = new Set([
  "target_unreachable",
  "target_unavailable",
  "target_throttled",
  "overloaded",
]);

/** How one target failed a request. */
export interface FailuresAt {
  last: SpillwayError;
  calls: number;
  /** Of these, the ones for which the request itself may be to blame. */
  counted: number;
}

/** What the failed calls of one request tell. */
class PastFailures {
  last: SpillwayError;
  /** By serial of the target. */
  readonly at = new Map<number, FailuresAt>();
  /** True when a call of functions was among them. */
  atFunctions = false;
  /** Requests of the largest batch that it may be in now. */
  mostRequests = Infinity;
  /** The targets that it has again if it turns out not to be to blame; undefined while it is not suspect. */
  acquitted: EligibleTargets | undefined = undefined;
  /** Calls that hung, or were cut off. */
  #lostCalls = 0;

  constructor(first: SpillwayError) {
    this.last = first;
  }

  add(error: SpillwayError, serial: number, isFunction: boolean, company: number): void {
    this.last = error;
    const known = this.at.get(serial) ?? { last: error, calls: 0, counted: 0 };
    known.last = error;
    known.calls++;
    if (company > 0 || !ofTargetAlone.has(error.code)) known.counted++;
    this.at.set(serial, known);
    // A throttled call did not run, and the window of calls bounds how many follow.
    this.atFunctions ||= isFunction && error.code !== "target_throttled";
    if (company > 0) this.#lostCalls++;
    // A target that is gone ends a call once for everybody.
    this.mostRequests = company > 0 && this.#lostCalls > 1 ? Math.ceil(company / 4) : Infinity;
  }
}
