/**
 * The virtual queue: a deterministic machine that takes events with their time and makes decisions. It holds
 * requests until its policy sends them in batches. It reads its clock once for each event and does no I/O, so
 * it runs the same in the daemon, in replay and in a test.
 */
import {
  arrivalEvent,
  type Batch,
  batchEvent,
  batchOf,
  checkedResult,
  endedBatch,
  outgoing,
  resultEvent,
  withCompany,
} from "./batch.ts";
import { checkedTarget, checkWait } from "./check-decision.ts";
import type { Clock } from "../../base/clock.ts";
import { SpillwayError } from "../../base/errors.ts";
import { OpenRequests, type QueueCounts } from "./open-requests.ts";
import { GivenUp } from "./given-up.ts";
import { LineTargets } from "./line-targets.ts";
import type { Decision, Policy, QueueView } from "../policies/policy.ts";
import { FairShare } from "./lanes/fair-share.ts";
import { arrivedRequest, Intake } from "./intake.ts";
import { type LaneLoad, Lanes } from "./lanes/lanes.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import type { QueueEvent } from "./queue-event.ts";
import { checkedBounds, type VirtualQueueOptions } from "./queue-options.ts";
import { QueueTargets, type TargetChange } from "./queue-targets.ts";
import type { End, NewRequest, QueuedRequest, Served, Submission, Ticket } from "./request.ts";
import type { RequestLine } from "./request-line.ts";
import { RequestLines } from "./request-lines.ts";
import { Retries } from "./retries.ts";
import { Refusals } from "./refusals.ts";
import { WakeTimer } from "./wake-timer.ts";
import type { BatchResult, OutgoingBatch } from "../targets/target.ts";
import type { TargetCondition } from "../targets/target-state.ts";

/**
 * @example
 * const policy = fixedPolicy({ batchRows: [20], timeoutMs: 400 });
 * const queue = new VirtualQueue({ clock: monotonicClock(), policy, targets: [edge], sloMs: 1_000 });
 * const key = queueKey(call.model, call.request);
 * const { answer, target, batchRows } = await queue.infer({ payload: call, key });
 * const ticket = queue.submit({ payload: call, key }, (end) => console.log(end.outcome)); // later: "served"
 * queue.cancel(ticket); // true, and its outcome is "cancelled"; false once it has ended
 * queue.close(() => console.log(queue.counts.waiting)); // 0, when every request has ended
 */
export class VirtualQueue<In, Out> {
  readonly #clock: Clock;
  readonly #events: OneAtATime;
  readonly #timer: WakeTimer;
  readonly #policy: Policy;
  readonly #targets: QueueTargets<In, Out>;
  readonly #shown: LineTargets<In, Out>;
  readonly #observe: ((event: QueueEvent) => void) | undefined;
  readonly #explains: boolean;
  readonly #open: OpenRequests<In, Out>;
  readonly #intake: Intake<In, Out>;
  readonly #retries: Retries<In, Out>;
  readonly #refusals: Refusals<In, Out>;
  readonly #givenUp: GivenUp<In, Out>;
  readonly #lines = new RequestLines<QueuedRequest<In, Out>>();
  readonly #fairShare: FairShare<QueuedRequest<In, Out>>;
  /** Lines that received requests while another line was being decided about. */
  readonly #undecided: RequestLine<QueuedRequest<In, Out>>[] = [];
  #batchesFormed = 0;
  #closed = false;
  #onDrained: (() => void)[] = [];

  /** @throws RangeError when an option is outside its range */
  constructor(options: VirtualQueueOptions<In, Out>) {
    const bounds = checkedBounds(options);
    this.#clock = options.clock;
    this.#events = new OneAtATime(
      () => options.clock.nowMs(),
      () => this.#settle(),
    );
    this.#timer = new WakeTimer(options.clock, () => this.#events.on((nowMs) => this.#timerFired(nowMs)));
    this.#policy = options.policy;
    const { seed = 0, modelOf = (key: string) => key, listedAs = modelOf, observe } = options;
    this.#targets = new QueueTargets(options.targets, { seed, modelOf, listedAs });
    this.#shown = new LineTargets(this.#targets, modelOf);
    this.#observe = observe;
    this.#explains = options.explains ?? false;
    const lanes = new Lanes(options.lanes ?? {}, bounds.sloMs);
    this.#fairShare = new FairShare(lanes.shares());
    const [lines, targets, { maxAttempts }] = [this.#lines, this.#targets, bounds];
    const open = (this.#open = new OpenRequests<In, Out>(observe, lanes, lines));
    this.#intake = new Intake({ ...options, bounds, lanes, open, waitingRows: () => lines.rows });
    this.#refusals = new Refusals(open, targets, modelOf, bounds.sloMs);
    this.#givenUp = new GivenUp(lines, this.#refusals, observe);
    this.#retries = new Retries({ open, lines, targets, maxAttempts, modelOf, observe });
  }

  /** The number of requests by state. */
  get counts(): Readonly<QueueCounts> {
    return this.#open.counts;
  }

  /** What each lane holds, by name, with "" for requests without a lane. */
  get lanes(): Readonly<Record<string, LaneLoad>> {
    return this.#intake.lanes;
  }

  /** False when nothing can be served now: the queue is closing, or every target is paused. */
  get isReady(): boolean {
    const nowMs = this.#clock.nowMs();
    return !this.#closed && this.#targets.isSomeReady(nowMs);
  }

  /** Each target now, in their order. */
  targetHealth(): TargetCondition[] {
    return this.#targets.live.map((target) => target.condition(this.#clock.nowMs()));
  }

  /**
   * Submit a request. `done` gets its end exactly once: after a later event, or before this call returns when
   * the request is refused at once. An error thrown by `done` reaches whoever caused the event.
   *
   * @throws RangeError when a field of the submission is outside its range; the request then does not exist
   * @throws Error when called from inside a policy, a target's `send` or an observer
   */
  submit(submission: Submission<In>, done: (end: End<Out>) => void): Ticket {
    if (this.#events.isBusy) throw new Error("submit was called while the queue decides");
    const checked = this.#intake.checked(submission);
    let ticket: Ticket | undefined;
    this.#events.on((arrivedAtMs) => {
      const eligible = this.#targets.everywhere;
      const arrival = { id: this.counts.submitted, arrivedAtMs, eligible, done };
      ticket = this.#arrived(arrivedRequest(checked, arrival), arrivedAtMs);
    });
    return ticket as unknown as Ticket;
  }

  /** `submit` as a promise. It rejects with a SpillwayError when the request is not served. */
  infer(submission: Submission<In>): Promise<Served<Out>> {
    return new Promise((resolve, reject) => {
      this.submit(submission, (end) => ("error" in end ? reject(end.error) : resolve(end)));
    });
  }

  /** Cancel a request; false when it has already ended. An answer that is still on its way is dropped. */
  cancel(ticket: Ticket): boolean {
    const first = ticket as QueuedRequest<In, Out>;
    const openRow = () => (first.whole?.rows ?? [first]).find(({ end }) => end === undefined);
    if (openRow() === undefined) return false;
    this.#events.on((nowMs) => {
      const request = openRow();
      if (request === undefined) return;
      this.#observe?.({ kind: "cancel", id: request.id, atMs: nowMs });
      if (!request.inFlight) this.#lines.remove(request);
      this.#open.end(request, { outcome: "cancelled", error: new SpillwayError("cancelled") }, nowMs);
    });
    return true;
  }

  /**
   * Add or remove a target, or say which models one serves. What waits for a removed target goes elsewhere; what is under
   * way there still counts.
   * @throws RangeError when the name is taken, or no target has it
   */
  changeTargets(change: TargetChange<In, Out>): void {
    this.#targets.check(change);
    this.#events.on((nowMs) => {
      this.#targets.change(change, this.#policy, this.#observe, nowMs);
      this.#decideAll(nowMs);
    });
  }

  /** Accept nothing new, send what waits at once, and call `onDrained` when every request has ended. */
  close(onDrained: () => void = () => {}): void {
    this.#onDrained.push(onDrained);
    this.#events.on((nowMs) => {
      if (!this.#closed) this.#observe?.({ kind: "close", atMs: nowMs });
      this.#closed = true;
      this.#decideAll(nowMs);
    });
  }

  /** After each event: set the timer, tell the owners of ended requests, and report when all have ended. */
  #settle(): void {
    this.#timer.set(this.#lines.wakeAtMs());
    this.#open.tellOwners();
    this.#targets.tellGone();
    if (this.#closed && this.#open.isEmpty) for (const drained of this.#onDrained.splice(0)) drained();
  }

  #arrived(request: NewRequest<In, Out>, nowMs: number): Ticket {
    this.#observe?.(arrivalEvent(request, nowMs));
    const refusal = this.#closed ? new SpillwayError("queue_closed") : this.#intake.refusal(request);
    this.#open.arrived(request);
    const queued = this.#intake.queued(request, refusal === undefined);
    const [first] = queued;
    let line: RequestLine<QueuedRequest<In, Out>> | undefined;
    if (refusal === undefined) for (const each of queued) line = this.#lines.add(each);
    if (line === undefined) this.#refusals.refuse(first, refusal ?? new SpillwayError("queue_full"), nowMs);
    else {
      for (const { key, rows, lane } of queued) this.#policy.arrived?.(key, rows, nowMs, lane);
      this.#decide(line, nowMs);
    }
    return first;
  }

  #timerFired(nowMs: number): void {
    this.#timer.fired(nowMs);
    this.#observe?.({ kind: "timer", atMs: nowMs });
    for (const line of this.#lines.waiting()) if (line.wakeAtMs <= nowMs) this.#decide(line, nowMs);
  }

  #decideAll(nowMs: number): void {
    for (const line of this.#lines.waiting()) this.#decide(line, nowMs);
  }

  /** Ask the policy about one line until it decides to wait or the line is empty. */
  #decide(line: RequestLine<QueuedRequest<In, Out>>, nowMs: number): void {
    while (line.length > 0) {
      if (line.expiresAtMs <= nowMs) {
        const [request] = line.take(1) as [QueuedRequest<In, Out>];
        const count = request.whole?.waitingRows ?? 1;
        this.#refusals.expired([request], nowMs);
        if (line.graceMs === 0) this.#policy.expired?.(line.key, count, nowMs, request.lane);
        continue;
      }
      this.#policy.plan?.(line.key, nowMs);
      const view = {
        nowMs,
        line,
        targets: this.#shown.of(line),
        draining: this.#closed,
        timerDelayMs: this.#timer.delayMs(nowMs),
      };
      const decision = this.#policy.decide(view);
      if (decision.kind === "dispatch") this.#dispatch(line, decision, view);
      else if (decision.kind !== "wait") {
        this.#policy.took?.(view, decision);
        this.#undecided.push(...this.#givenUp.carryOut(line, decision, nowMs));
      } else {
        checkWait(this.#policy.name, decision.untilMs, nowMs);
        line.wakeAtMs = Math.min(decision.untilMs, line.expiresAtMs);
        this.#policy.took?.(view, decision);
        break;
      }
    }
    if (this.#undecided.length === 0) return;
    for (const other of this.#undecided.splice(0)) this.#decide(other, nowMs);
  }

  /** Send the batch that the policy decided on, if its target admits it. */
  #dispatch(
    line: RequestLine<QueuedRequest<In, Out>>,
    decision: Decision & { kind: "dispatch" },
    view: QueueView,
  ): void {
    const [{ nowMs }, { first = 0, count, target: index, giveUpAtMs }] = [view, decision];
    const state = checkedTarget(this.#policy.name, this.#targets.all, line, index, nowMs);
    const isEdge = state.kind === "edge";
    const requests = withCompany(isEdge ? this.#fairShare.pick(line, count, first) : line.peek(count, first));
    const batch = batchOf({ id: this.#batchesFormed, target: index, state, line, requests, nowMs });
    // A request that has no other eligible target is not given up early.
    const sent = outgoing(batch, line.eligible.sizeFor(line.key) > 1 ? giveUpAtMs : undefined);
    const refusal = state.admit(sent, batch.isRetry, nowMs);
    if (refusal !== undefined) {
      this.#undecided.push(...this.#retries.notAdmitted(line, batch, refusal, nowMs));
      return;
    }
    this.#policy.took?.(view, decision);
    this.#batchesFormed++;
    const event = this.#observe && batchEvent(batch, decision, view, this.#explains);
    if (isEdge) this.#fairShare.took(line, requests);
    line.drop(requests, first);
    for (const request of requests) this.#open.sent(request);
    state.sent(batch);
    try {
      if (event !== undefined) this.#observe?.(event);
      this.#policy.sent?.(batch);
    } finally {
      // The batch has left the line: if an observer or the policy throws, it must still be answered.
      this.#send(batch, sent);
    }
  }

  #send(batch: Batch<In, Out>, outgoingBatch: OutgoingBatch<In>): void {
    let ended = false;
    batch.state.target.send(outgoingBatch, (result) => {
      if (ended) return;
      ended = true;
      this.#events.on((endedAtMs) => this.#batchEnded(batch, result, endedAtMs));
    });
  }

  #batchEnded(batch: Batch<In, Out>, given: BatchResult<Out>, nowMs: number): void {
    const result = checkedResult(batch, given);
    this.#observe?.(resultEvent(batch.id, result, nowMs));
    this.#retries.batchEnded(batch, result, batch.state.ended(batch, result, nowMs), nowMs);
    this.#policy.ended?.(endedBatch(batch, result, nowMs));
    this.#decideAll(nowMs);
  }
}
