/** Carries out a schedule in the simulated world that policies are replayed in: its result, its log and its timeline. */
import { SpillwayError } from "../../base/errors.ts";
import type { OutgoingBatch } from "../../client/targets/target.ts";
import { DecisionLog } from "../decision-log.ts";
import { type ReplaySummary, Tally } from "../summary.ts";
import type { Timeline } from "../timeline.ts";
import type { BatchSent, TraceRequest } from "../world/batch-sent.ts";
import { profileTargets } from "../world/profile.ts";
import { VirtualClock } from "../world/virtual-clock.ts";
import { worldTargets } from "../world/world.ts";
import type { HindsightWorld, PlannedBatch, Schedule } from "./schedule.ts";

export interface PlayOptions {
  /** Name of the trace, for the log. */
  readonly trace?: string | undefined;
  /** Takes each line of the decision log, with its line feed. */
  readonly writeLog?: ((line: string) => void) | undefined;
  readonly timeline?: Timeline | undefined;
  /** Told of each batch. */
  readonly onBatch?: ((sent: BatchSent) => void) | undefined;
}

/** @throws RangeError when a batch is formed before the one in front of it, or before one of its requests arrives */
export function playSchedule(
  world: HindsightWorld,
  schedule: Schedule,
  options: PlayOptions = {},
): ReplaySummary {
  const steps = playInSteps(world, schedule, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same with a pause after each thousand batches, so that the log can be written. */
export function playInSteps(
  world: HindsightWorld,
  schedule: Schedule,
  options: PlayOptions,
): Generator<void, ReplaySummary> {
  return new Player(world, options).play(schedule);
}

const batchesPerStep = 1_000;

type WorldTarget = ReturnType<typeof worldTargets>[number];

class Player {
  readonly #world: HindsightWorld;
  readonly #clock = new VirtualClock();
  readonly #tally: Tally;
  readonly #decisions: DecisionLog | undefined;
  readonly #timeline: Timeline | undefined;
  readonly #targets: readonly WorldTarget[];
  #arrived = 0;
  #isInBatch = new Uint8Array();

  constructor(world: HindsightWorld, { trace = "", writeLog, timeline, onBatch }: PlayOptions) {
    const { scenario, sheet, seed } = world;
    const { name, sloMs, edges } = scenario;
    this.#world = world;
    this.#tally = new Tally(scenario, profileTargets(scenario, sheet));
    this.#timeline = timeline;
    if (writeLog !== undefined) {
      const header = { trace, scenario: name, policy: "hindsight", seed, sloMs };
      this.#decisions = new DecisionLog(header, edges.length, writeLog);
    }
    this.#targets = worldTargets({
      scenario,
      sheet,
      seed,
      clock: this.#clock,
      onBatch: (sent) => {
        this.#tally.sent(sent);
        timeline?.sent(sent);
        this.#decisions?.batch(sent);
        onBatch?.(sent);
      },
    });
  }

  *play(schedule: Schedule): Generator<void, ReplaySummary> {
    const { arrivals, sheet } = this.#world;
    this.#isInBatch = new Uint8Array(arrivals.atMs.length);
    for (const { requests } of schedule) for (const request of requests) this.#isInBatch[request] = 1;
    for (const [id, batch] of schedule.entries()) {
      this.#arriveUntil(batch.formedAtMs);
      this.#send(batch, id);
      if (id % batchesPerStep === 0) yield;
    }
    this.#arriveUntil(Infinity);
    this.#clock.runAll();
    const summary = this.#tally.summary(sheet.currency);
    this.#decisions?.summary(summary);
    return summary;
  }

  #arriveUntil(untilMs: number): void {
    const { atMs } = this.#world.arrivals;
    for (; this.#arrived < atMs.length && (atMs[this.#arrived] as number) <= untilMs; this.#arrived++) {
      this.#arrive(this.#arrived, atMs[this.#arrived] as number);
    }
  }

  #arrive(id: number, atMs: number): void {
    this.#clock.advanceToEventAt(atMs);
    this.#timeline?.arrived(atMs);
    const { rows } = this.#world.arrivals;
    this.#decisions?.observe({
      kind: "arrival",
      id,
      atMs,
      key: "",
      rows: rows[id] as number,
      bytes: 0,
      sloMs: this.#world.scenario.sloMs,
    });
    if (this.#isInBatch[id] === 1) return;
    const code = "deadline_passed";
    this.#decisions?.observe({ kind: "end", id, atMs, outcome: "refused", code });
    this.#tally.ended({ outcome: "refused", error: new SpillwayError(code) }, "", atMs);
  }

  #send({ target: index, formedAtMs, requests }: PlannedBatch, id: number): void {
    if (formedAtMs < this.#clock.nowMs() || requests.some((request) => request >= this.#arrived)) {
      throw new RangeError(
        `batch ${id} is formed at ${formedAtMs} ms; allowed: in order, after its arrivals`,
      );
    }
    this.#clock.advanceTo(formedAtMs);
    const target = this.#targets[index] as WorldTarget;
    const { atMs, rows } = this.#world.arrivals;
    const parts = requests.map((request) => ({
      payload: {
        id: request,
        arrivedAtMs: atMs[request] as number,
        rows: rows[request] as number,
        lane: "",
      },
      fromRow: 0,
      toRow: rows[request] as number,
    }));
    const batch: OutgoingBatch<TraceRequest> = {
      id,
      key: "",
      parts,
      rows: parts.reduce((sum, { toRow }) => sum + toRow, 0),
      deadlineAtMs: (parts[0]?.payload.arrivedAtMs as number) + this.#world.scenario.sloMs,
    };
    target.send(batch, (result) => {
      if (!result.ok)
        this.#decisions?.observe({
          kind: "result",
          batch: id,
          atMs: this.#clock.nowMs(),
          ok: false,
          code: result.error.code,
          message: "",
        });
      for (const { payload } of parts) this.#end(payload, target.name, batch.rows, result);
    });
  }

  #end(
    request: TraceRequest,
    target: string,
    batchRows: number,
    result: { readonly ok: boolean; readonly serviceMs?: number | undefined; readonly error?: SpillwayError },
  ): void {
    const nowMs = this.#clock.nowMs();
    if (!result.ok) {
      const error = result.error as SpillwayError;
      this.#decisions?.observe({
        kind: "end",
        id: request.id,
        atMs: nowMs,
        outcome: "failed",
        code: error.code,
      });
      this.#tally.ended({ outcome: "failed", error }, "", nowMs);
      return;
    }
    const isLate = nowMs - request.arrivedAtMs > this.#world.scenario.sloMs;
    const end = {
      outcome: isLate ? "late" : "served",
      answer: request,
      target,
      batchRows,
      queuedMs: 0,
      serviceMs: result.serviceMs,
    } as const;
    this.#tally.ended(end, "", nowMs);
    this.#timeline?.ended(end, nowMs);
  }
}
