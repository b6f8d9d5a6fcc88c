/** A target of the virtual queue whose server is simulated, with its faults, event by event. */
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { BatchResult, OutgoingBatch, Target } from "../../client/targets/target.ts";
import type { VirtualClock } from "../world/virtual-clock.ts";
import { type OutageTarget, type SpellKind, spellAt, trueServiceMs, workEndMs } from "./outage-world.ts";
import type { StalledClock } from "./stalled-clock.ts";

/** The most time that one call may take, how many may be under way, and what is assumed of one: the daemon's defaults. */
const callTimeoutMs = 10_000;
export const mostInFlight = { edge: 16, serverless: 100 };
export const assumedLatencyMs = { edge: 50, serverless: 300 };
/** A call is given at least this long. */
const leastCallMs = 1;

/** Time in which a place of a target was taken, by an upload to it or by a batch in service. */
export interface BusySpan {
  readonly target: number;
  /** Undefined for an upload, which all places share. */
  readonly place: number | undefined;
  readonly fromMs: number;
  toMs: number;
}

interface Held {
  readonly batch: OutgoingBatch<number>;
  reachMs: number;
  readonly end: (atMs: number, result: BatchResult<number>) => void;
  busy?: BusySpan;
  isGivenUp: boolean;
}

interface Place {
  held: Held | undefined;
  isWarm: boolean;
}

export interface OutageTargetOptions {
  readonly target: OutageTarget;
  readonly index: number;
  readonly clock: VirtualClock;
  /** The clock of the queue's machine. */
  readonly machine: StalledClock;
  readonly busy: BusySpan[];
  readonly costOf: (serviceMs: number) => number;
}

/** What a server that does not take a batch answers. */
const refusedWith: Partial<Record<SpellKind, ErrorCode>> = {
  gone: "target_unreachable",
  unavailable: "target_unavailable",
  throttled: "target_throttled",
  denied: "target_denied",
};

export function outageTarget(options: OutageTargetOptions): Target<number, number> {
  const { target, machine } = options;
  const server = new OutageServer(options);
  return {
    name: target.name,
    kind: target.kind,
    maxInFlight: mostInFlight[target.kind],
    assumedLatencyMs: assumedLatencyMs[target.kind],
    send: (batch, done) => {
      let isOver = false;
      const finish = (result: BatchResult<number>): void => {
        if (isOver) return;
        isOver = true;
        done(result);
      };
      const nowMs = machine.nowMs();
      const held = server.send(batch, (atMs, result) => machine.schedule(atMs, () => finish(result)));
      const untilMs = Math.min(nowMs + callTimeoutMs, batch.giveUpAtMs ?? Infinity);
      machine.schedule(Math.max(nowMs + leastCallMs, untilMs), () => {
        if (isOver) return;
        held.isGivenUp = true;
        finish({ ok: false, error: new SpillwayError("target_timeout") });
      });
    },
  };
}

class OutageServer {
  readonly #options: OutageTargetOptions;
  readonly #places: Place[];
  #queue: Held[] = [];
  #uplinkFreeAtMs = 0;

  constructor(options: OutageTargetOptions) {
    const { target, clock } = options;
    this.#options = options;
    this.#places = Array.from({ length: target.places }, (_, place) => {
      return { held: undefined, isWarm: target.kind === "edge" || place < target.warm };
    });
    for (const { kind, fromMs } of target.spells) {
      if (kind === "gone") clock.schedule(fromMs, () => this.#die());
    }
  }

  /** Takes a batch; `end` is told of the moment at which its answer is back. */
  send(batch: OutgoingBatch<number>, end: Held["end"]): Held {
    const { target, index, clock, busy } = this.#options;
    const nowMs = clock.nowMs();
    const oneWayMs = target.rttMs / 2;
    const spell = spellAt(target, nowMs);
    const held: Held = { batch, reachMs: nowMs, end, isGivenUp: false };
    if (spell?.kind === "gone") {
      end(nowMs + oneWayMs, failure("target_unreachable"));
      return held;
    }
    const startMs = Math.max(nowMs, this.#uplinkFreeAtMs);
    const thinness = spell?.kind === "thin" ? spell.factor : 1;
    this.#uplinkFreeAtMs = startMs + batch.rows * target.uploadRowMs * thinness;
    busy.push({ target: index, place: undefined, fromMs: startMs, toMs: this.#uplinkFreeAtMs });
    const reachMs = this.#uplinkFreeAtMs + oneWayMs;
    clock.schedule(reachMs, () => this.#reached(held));
    return held;
  }

  #reached(held: Held): void {
    const { target, clock } = this.#options;
    const nowMs = clock.nowMs();
    const spell = spellAt(target, nowMs);
    const code = spell === undefined ? undefined : refusedWith[spell.kind];
    if (code !== undefined) {
      held.end(nowMs + target.rttMs / 2, failure(code));
      return;
    }
    // A stopped process reads its sockets when it goes on.
    held.reachMs = spell?.kind === "hanging" ? spell.toMs : nowMs;
    const isFull = this.#places.every((place) => place.held !== undefined);
    if (target.kind === "serverless" && isFull) {
      held.end(nowMs + target.rttMs / 2, failure("target_throttled"));
      return;
    }
    this.#queue.push(held);
    this.#serve();
  }

  #serve(): void {
    const { target, index, clock, busy } = this.#options;
    const nowMs = clock.nowMs();
    while (this.#queue.length > 0) {
      const place = freePlace(this.#places);
      if (place === undefined) return;
      const held = this.#queue.shift() as Held;
      if (held.isGivenUp) continue;
      const coldMs = place.isWarm ? 0 : target.coldStartMs;
      const startMs = Math.max(nowMs, held.reachMs) + coldMs;
      const endMs = workEndMs(target, startMs, trueServiceMs(target, held.batch.rows));
      place.held = held;
      place.isWarm = true;
      held.busy = { target: index, place: this.#places.indexOf(place), fromMs: nowMs, toMs: endMs };
      busy.push(held.busy);
      clock.schedule(endMs, () => {
        if (place.held !== held) return;
        place.held = undefined;
        const queuedMs = startMs - coldMs - held.reachMs;
        held.end(endMs + target.rttMs / 2, this.#answer(held, endMs - startMs, queuedMs, coldMs));
        this.#serve();
      });
    }
  }

  #answer(
    { batch }: Held,
    serviceMs: number,
    serverQueuedMs: number,
    coldStartMs: number,
  ): BatchResult<number> {
    const answers = batch.parts.map(({ payload }) => payload);
    const cost = this.#options.costOf(serviceMs);
    return { ok: true, answers, serviceMs, serverQueuedMs, coldStartMs, cost };
  }

  /** Everything that it holds is lost, and its connections are reset. */
  #die(): void {
    const { target, clock } = this.#options;
    const nowMs = clock.nowMs();
    const lost = [...this.#queue];
    for (const place of this.#places) {
      if (place.held !== undefined) lost.push(place.held);
      if (place.held?.busy !== undefined) place.held.busy.toMs = nowMs;
      place.held = undefined;
      place.isWarm = target.kind === "edge";
    }
    this.#queue = [];
    for (const { end } of lost) end(nowMs + target.rttMs / 2, failure("target_unreachable"));
  }
}

/** A warm one first. */
function freePlace(places: readonly Place[]): Place | undefined {
  const free = places.filter(({ held }) => held === undefined);
  return free.find(({ isWarm }) => isWarm) ?? free[0];
}

function failure(code: ErrorCode): BatchResult<number> {
  return { ok: false, error: new SpillwayError(code) };
}
