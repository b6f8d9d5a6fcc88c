/**
 * Replays a trace: the daemon's virtual queue runs on a virtual clock, with the targets of a scenario. At one
 * moment answers and errors come first, then arrivals, then the queue's timer.
 */
import { basename } from "node:path";
import type { PriceSheet } from "../serverless/prices/price.ts";
import type { Policy } from "../client/policies/policy.ts";
import type { PolicyInputs } from "../client/policies/policy-inputs.ts";
import type { End } from "../client/queue/request.ts";
import { VirtualQueue } from "../client/queue/virtual-queue.ts";
import { type ArrivalOptions, readArrivals } from "./traces/arrivals.ts";
import type { BatchSent, TraceRequest } from "./world/batch-sent.ts";
import { DecisionLog } from "./decision-log.ts";
import { InputError } from "../base/usage-error.ts";
import { profileTargets } from "./world/profile.ts";
import type { Scenario } from "./world/scenario.ts";
import { type ReplaySummary, type SoFar, Tally } from "./summary.ts";
import type { TextFile } from "../base/text-lines.ts";
import type { Timeline } from "./timeline.ts";
import { VirtualClock } from "./world/virtual-clock.ts";
import { worldTargets } from "./world/world.ts";

/** Most rows that wait: bulk that has a minute or more may be many. */
const mostRows = 1_000_000;

/** Where a decision log goes. */
export interface LogSink {
  /** Takes whole lines with their line feeds; it may keep them until `flush`. */
  write(lines: string): void;
  /** Called from time to time; resolves when there is room for more. */
  flush(): Promise<void>;
}

export interface ReplayOptions extends ArrivalOptions {
  readonly trace: TextFile;
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  /** As of `PolicyInputs`. */
  readonly spendAllowanceMs?: number | undefined;
  /** Makes the policy from its inputs. */
  readonly policy: (inputs: PolicyInputs) => Policy;
  readonly log?: LogSink | undefined;
  /** Collects what happened over time, for charts. */
  readonly timeline?: Timeline | undefined;
  /** Called for every batch when it is sent, with how it will end. */
  readonly onBatch?: ((sent: BatchSent) => void) | undefined;
  /** Called from time to time with the number of requests that have arrived, and the present time. */
  readonly onProgress?: ((requests: number, atMs: number) => void) | undefined;
  /** Asked from time to time; true ends the replay, and the summary is of the requests that have arrived by then. */
  readonly isEnough?: ((soFar: SoFar) => boolean) | undefined;
}

/** So many requests arrive before `isEnough` is asked again. */
const askedEvery = 1_000;

/**
 * Replays a trace under one policy. The same options give the same log, byte for byte, on every machine.
 *
 * @example
 * const world = readWorld("trace.csv", "world.json");
 * const range = { seed: 1, fromS: 0, toS: Infinity, scale: 1 };
 * (await replayTrace({ ...world, policy: policyWith("spillway"), ...range })).inSloShare; // 0.998
 *
 * @throws InputError when the trace is malformed or names a lane that the scenario does not have
 */
export async function replayTrace(options: ReplayOptions): Promise<ReplaySummary> {
  const { trace, scenario, sheet, seed, log, timeline } = options;
  const { sloMs, sloQuantile, requestBytes, lanes } = scenario;
  const clock = new VirtualClock();
  const profiles = profileTargets(scenario, sheet);
  const tally = new Tally(scenario, profiles);
  let decisions: DecisionLog | undefined;
  const policy = options.policy({
    targets: profiles,
    sloMs,
    sloQuantile,
    laneQuantiles: Object.fromEntries(Object.entries(lanes).map(([name, lane]) => [name, lane.sloQuantile])),
    currency: sheet.currency,
    spendAllowanceMs: options.spendAllowanceMs,
    onPlan: (change) => {
      timeline?.planned(change);
      decisions?.plan(change);
    },
  });
  if (log !== undefined) {
    const header = { trace: basename(trace.name), scenario: scenario.name, policy: policy.name, seed, sloMs };
    decisions = new DecisionLog(header, scenario.edges.length, (lines) => log.write(lines));
  }
  const queue = new VirtualQueue<TraceRequest, TraceRequest>({
    clock,
    policy,
    targets: worldTargets({
      scenario,
      sheet,
      seed,
      clock,
      onBatch: (sent) => {
        tally.sent(sent);
        timeline?.sent(sent);
        decisions?.batch(sent);
        options.onBatch?.(sent);
      },
    }),
    sloMs,
    lanes: scenario.lanes,
    joinAnswers: (request) => request,
    maxQueuedRows: mostRows,
    maxBytes: Infinity,
    observe: decisions?.observe,
  });
  const doneIn = (lane: string) => (end: End<TraceRequest>) => {
    tally.ended(end, lane, clock.nowMs());
    timeline?.ended(end, clock.nowMs());
  };
  const done = new Map(["", ...Object.keys(scenario.lanes)].map((lane) => [lane, doneIn(lane)]));
  let requests = 0;
  arrivals: for await (const block of readArrivals(trace, options)) {
    for (const { atS, rows, lane, model, bytes = rows * requestBytes } of block) {
      const told = done.get(lane) ?? refuseLane(trace.name, lane, atS, scenario);
      const arrivedAtMs = atS * 1_000;
      clock.advanceToEventAt(arrivedAtMs);
      timeline?.arrived(arrivedAtMs);
      const payload = { id: requests++, arrivedAtMs, rows, lane };
      queue.submit({ payload, key: model, rows, bytes, lane, isSplittable: rows > 1 }, told);
      if (requests % askedEvery === 0 && options.isEnough?.(tally.soFar()) === true) break arrivals;
    }
    await log?.flush();
    options.onProgress?.(requests, clock.nowMs());
  }
  clock.runAll();
  const summary = tally.summary(sheet.currency);
  decisions?.summary(summary);
  await log?.flush();
  return summary;
}

function refuseLane(file: string, lane: string, atS: number, { lanes }: Scenario): never {
  const names = Object.keys(lanes);
  const allowed = names.length === 0 ? "the scenario has no lanes" : `allowed: ${names.join(", ")}, or empty`;
  throw new InputError(file, "", `the request at ${atS} s has the lane "${lane}"; ${allowed}`);
}
