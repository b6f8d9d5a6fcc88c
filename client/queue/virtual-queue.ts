/**
 * The virtual queue: a deterministic machine into which events come with their time and out of which
 * decisions go. It holds requests until its policy sends them off in batches. It reads its clock once an event,
 * touches no real time or I/O, and therefore runs the same in the daemon, in replay and in a test.
 */
import { type Batch, checkedResult, endedBatch, resultEvent } from "./batch.ts";
import { seededRandom } from "../../base/random.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { SpillwayError } from "../../base/errors.ts";
import { Ledger, type QueueCounts } from "./ledger.ts";
import type { Decision, Policy } from "../policies/policy.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import type { QueueEvent } from "./queue-event.ts";
import { checkedBounds, type QueueBounds, type VirtualQueueOptions } from "./queue-options.ts";
import { Reach } from "./reach.ts";
import { type End, QueuedRequest, type Served, type Submission, type Ticket } from "./request.ts";
import type { RequestLine } from "./request-line.ts";
import { RequestLines } from "./request-lines.ts";
import { failureOf } from "./refusal.ts";
import type { BatchResult } from "../targets/target.ts";
import { TargetState } from "../targets/target-state.ts";

export class VirtualQueue<In, Out> {
  readonly #clock: Clock;
  readonly #events: OneAtATime;
  readonly #timer: Timer;
  readonly #policy: Policy;
  readonly #targets: readonly TargetState<In, Out>[];
  readonly #everywhere: Reach;
  readonly #bounds: QueueBounds;
  readonly #observe: ((event: QueueEvent) => void) | undefined;
  readonly #ledger: Ledger<In, Out>;
  readonly #lines = new RequestLines<QueuedRequest<In, Out>>();
  #batchesFormed = 0;
  #closed = false;
  #timerAtMs = Infinity;
  #onDrained: (() => void)[] = [];

  /** @throws RangeError when an option is outside its range */
  constructor(options: VirtualQueueOptions<In, Out>) {
    this.#bounds = checkedBounds(options);
    this.#clock = options.clock;
    this.#events = new OneAtATime(
      () => options.clock.nowMs(),
      () => this.#settle(),
    );
    this.#timer = options.clock.createTimer(() => this.#events.on((nowMs) => this.#timerFired(nowMs)));
    this.#policy = options.policy;
    const random = seededRandom(options.seed ?? 0);
    this.#targets = options.targets.map((target) => new TargetState(target, random));
    this.#everywhere = Reach.everywhere(this.#targets);
    this.#observe = options.observe;
    this.#ledger = new Ledger(options.observe);
  }

  /** How the requests stand now. */
  get counts(): Readonly<QueueCounts> {
    return this.#ledger.counts;
  }

  /** False when nothing can be served now: the queue closes, or every target failed lately. */
  get isReady(): boolean {
    const nowMs = this.#clock.nowMs();
    return !this.#closed && this.#targets.some((target) => target.suspendedUntilMs <= nowMs);
  }

  /**
   * Hand in a request. `done` is told its end exactly once: after a later event, or before this call returns
   * when the request is refused. An error thrown by `done` is thrown on to whoever caused the event.
   *
   * @throws RangeError when a field of the submission is outside its range; the request then does not exist
   * @throws Error when called from inside a policy, a target's `send` or an observer
   */
  submit(submission: Submission<In>, done: (end: End<Out>) => void): Ticket {
    if (this.#events.isBusy) throw new Error("submit was called while the queue decides");
    let request: QueuedRequest<In, Out> | undefined;
    this.#events.on((nowMs) => {
      const { sloMs } = this.#bounds;
      request = new QueuedRequest(this.counts.submitted, submission, nowMs, sloMs, this.#everywhere, done);
      this.#arrived(request, nowMs);
    });
    return request as unknown as Ticket;
  }

  /** `submit` as a promise. Rejects with a SpillwayError when the request is not served. */
  infer(submission: Submission<In>): Promise<Served<Out>> {
    return new Promise((resolve, reject) => {
      this.submit(submission, (end) => ("error" in end ? reject(end.error) : resolve(end)));
    });
  }

  /** Give a request up. False when it had already ended. An answer that is still on its way is dropped. */
  cancel(ticket: Ticket): boolean {
    const request = ticket as QueuedRequest<In, Out>;
    if (request.end !== undefined) return false;
    this.#events.on((nowMs) => {
      if (request.end !== undefined) return;
      this.#observe?.({ kind: "cancel", id: request.id, atMs: nowMs });
      if (!request.inFlight) this.#lines.remove(request);
      this.#ledger.end(request, { outcome: "cancelled", error: new SpillwayError("cancelled") }, nowMs);
    });
    return true;
  }

  /** Take nothing new, send what waits at once, and call `onDrained` when every request has ended. */
  close(onDrained: () => void = () => {}): void {
    this.#onDrained.push(onDrained);
    this.#events.on((nowMs) => {
      if (!this.#closed) this.#observe?.({ kind: "close", atMs: nowMs });
      this.#closed = true;
      this.#decideAll(nowMs);
    });
  }

  /** After each event: set the timer, tell the owners of what ended, and say when all has. */
  #settle(): void {
    this.#setTimer();
    this.#ledger.tellOwners();
    if (this.#closed && this.#ledger.isEmpty) for (const drained of this.#onDrained.splice(0)) drained();
  }

  #setTimer(): void {
    const wakeAtMs = this.#lines.wakeAtMs();
    if (wakeAtMs === this.#timerAtMs) return;
    this.#timerAtMs = wakeAtMs;
    this.#timer.setAt(wakeAtMs);
  }

  #arrived(request: QueuedRequest<In, Out>, nowMs: number): void {
    const { id, key, rows, bytes, sloMs } = request;
    this.#ledger.arrived(request);
    this.#observe?.({ kind: "arrival", id, atMs: nowMs, key, rows, bytes, sloMs });
    if (this.#closed) {
      this.#ledger.refuse(request, "queue_closed", nowMs);
      return;
    }
    const fits =
      this.#lines.rows + rows <= this.#bounds.maxQueuedRows && this.#ledger.bytes <= this.#bounds.maxBytes;
    const line = fits ? this.#lines.add(request) : undefined;
    if (line === undefined) this.#ledger.refuse(request, "queue_full", nowMs);
    else {
      this.#policy.arrived?.(key, rows, nowMs);
      this.#decide(line, nowMs);
    }
  }

  #timerFired(nowMs: number): void {
    this.#timerAtMs = Infinity;
    this.#observe?.({ kind: "timer", atMs: nowMs });
    for (const line of this.#lines.waiting()) if (line.wakeAtMs <= nowMs) this.#decide(line, nowMs);
  }

  #decideAll(nowMs: number): void {
    for (const line of this.#lines.waiting()) this.#decide(line, nowMs);
  }

  /** Ask the policy about one line until it says to wait or nothing waits. */
  #decide(line: RequestLine<QueuedRequest<In, Out>>, nowMs: number): void {
    while (line.length > 0) {
      if (line.at(0).deadlineAtMs <= nowMs) {
        this.#refuseLate(line, 1, nowMs);
        continue;
      }
      const decision = this.#policy.decide({
        nowMs,
        line,
        targets: line.reach.targets,
        batchesFormed: this.#batchesFormed,
        draining: this.#closed,
      });
      switch (decision.kind) {
        case "dispatch":
          this.#dispatch(line, decision, nowMs);
          break;
        case "refuse":
          this.#refuseLate(line, decision.count, nowMs);
          break;
        case "wait":
          if (!(decision.untilMs > nowMs)) {
            throw new RangeError(
              `policy ${this.#policy.name} waits until ${decision.untilMs}; now is ${nowMs}`,
            );
          }
          line.wakeAtMs = Math.min(decision.untilMs, line.at(0).deadlineAtMs);
          return;
      }
    }
  }

  #refuseLate(line: RequestLine<QueuedRequest<In, Out>>, count: number, nowMs: number): void {
    const heldBy = this.#whyLeftAlone(nowMs);
    for (const request of line.take(count)) this.#ledger.refuse(request, "deadline_passed", nowMs, heldBy);
  }

  /** Why a target is left alone now: a reason of our own, such as the cap on money, before what the first fails of. */
  #whyLeftAlone(nowMs: number): SpillwayError | undefined {
    const reasons = this.#targets.flatMap((target) => target.whyNot(nowMs) ?? []);
    return reasons.find(({ isLocal }) => isLocal) ?? reasons[0];
  }

  #dispatch(
    line: RequestLine<QueuedRequest<In, Out>>,
    { first = 0, count, target: index, plannedRows, reason, giveUpAtMs }: Decision & { kind: "dispatch" },
    nowMs: number,
  ): void {
    const target = this.#targets[index];
    if (target === undefined || target.inFlight >= target.maxInFlight || !line.reach.has(index)) {
      throw new RangeError(`policy ${this.#policy.name} sends to target ${index}, which has no room`);
    }
    const { key, reach } = line;
    const waitedMs = nowMs - line.oldestArrivalMs();
    const { deadlineAtMs } = line.at(first);
    const requests = line.take(count, first);
    let rows = 0;
    let isRetry = false;
    for (const request of requests) {
      this.#ledger.sent(request);
      rows += request.rows;
      isRetry ||= request.failedAtFunctions;
    }
    const payloads = requests.map(({ payload }) => payload);
    const id = this.#batchesFormed++;
    const batch: Batch<In, Out> = { id, key, rows, formedAtMs: nowMs, target, requests };
    target.sent(batch);
    if (this.#observe !== undefined) {
      const facts = { target: target.name, key, plannedRows, rows, reason, waitedMs };
      this.#observe({ kind: "batch", id, atMs: nowMs, ...facts, requests: requests.map((each) => each.id) });
    }
    let ended = false;
    // Who may go nowhere else is not given up early.
    const untilMs = reach.size > 1 ? giveUpAtMs : undefined;
    target.target.send({ id, key, payloads, rows, deadlineAtMs, isRetry, giveUpAtMs: untilMs }, (result) => {
      if (ended) return;
      ended = true;
      this.#events.on((endedAtMs) => this.#batchEnded(batch, result, endedAtMs));
    });
  }

  #batchEnded(batch: Batch<In, Out>, given: BatchResult<Out>, nowMs: number): void {
    const result = checkedResult(batch, given);
    this.#observe?.(resultEvent(batch.id, result, nowMs));
    const index = this.#targets.indexOf(batch.target);
    batch.target.ended(batch, result, nowMs);
    this.#endEach(batch, result, index, nowMs);
    this.#policy.ended?.(endedBatch(batch, index, result, nowMs));
    this.#decideAll(nowMs);
  }

  #endEach(batch: Batch<In, Out>, result: BatchResult<Out>, target: number, nowMs: number): void {
    const { requests } = batch;
    let answered = 0;
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index] as QueuedRequest<In, Out>;
      const error = result.unanswered?.get(index) ?? (result.ok ? undefined : result.error);
      if (!result.ok || error !== undefined) {
        this.#unanswered(request, error as SpillwayError, target, nowMs);
        continue;
      }
      const answer = result.answers[answered++] as Out;
      if (request.end !== undefined) continue;
      const end: Served<Out> = {
        outcome: nowMs <= request.deadlineAtMs ? "served" : "late",
        answer,
        target: batch.target.name,
        batchRows: batch.rows,
        queuedMs: batch.formedAtMs - request.arrivedAtMs,
        serviceMs: result.serviceMs,
      };
      this.#ledger.end(request, end, nowMs);
    }
  }

  /** What failed for a passing reason waits again, within its attempts and its deadline. */
  #unanswered(request: QueuedRequest<In, Out>, error: SpillwayError, target: number, nowMs: number): void {
    if (request.end !== undefined) return;
    const mayTry = request.cameBack(error, target, this.#bounds.maxAttempts);
    const again = error.retryable && mayTry && nowMs < request.deadlineAtMs;
    if (again && this.#lines.add(request) !== undefined) this.#ledger.returned(request);
    else this.#ledger.end(request, { outcome: "failed", error: failureOf(request, error) }, nowMs);
  }
}
