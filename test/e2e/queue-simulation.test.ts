/** The queue under random arrivals and faults, with checkers that know only its events. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Random, seededRandom } from "../../base/random.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { PlanChange } from "../../client/policies/policy-inputs.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import type { Ticket } from "../../client/queue/request.ts";
import type { OutgoingBatch, Target } from "../../client/targets/target.ts";
import { hasRoom, readyAtMs, type TargetView } from "../../client/targets/target-view.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { payloadsOf } from "../support/scripted-target.ts";
import { tinySheet } from "../support/tiny-world.ts";

const plan = { batchRows: [20, 2], timeoutMs: 40 };
const limits = { sloMs: 100, maxQueuedRows: 60, maxBytes: 5_000, maxAttempts: 3, seed: 5 };

interface Run {
  readonly events: QueueEvent[];
  readonly record: string;
  readonly endsByRequest: ReadonlyMap<number, number>;
}

const fixed: QueuePolicy = { name: "fixed", ...plan };

/** Both targets as a calibration may have measured them: about as fast as they are when they are well. */
const spillway: QueuePolicy = {
  name: "spillway",
  sloQuantile: 0.99,
  maxWaitMs: 60,
  targets: [
    { ...profiledTarget(12), name: "edge", kind: "edge" },
    { ...profiledTarget(14), name: "serverless", kind: "serverless", vcpu: 1, memoryMib: 1_024 },
  ],
  prices: { ...tinySheet, perCall: 0.001 },
};

function profiledTarget(ms: number) {
  const times = { requestBytes: 30, maxBatch: 8, serviceMs: { "1": [5, ms], "8": [6, ms + 3] } };
  return { replicas: 2, link: { rttMs: 0.5, uplinkMbps: 100 }, coldStartMs: [], models: { k0: times } };
}

/** Each seed switches whole kinds of fault on or off. */
function simulate(seed: number, from: QueuePolicy = fixed, given?: Policy): Run {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const faults = {
    failing: random() < 0.5 ? 0.3 : 0,
    refusing: random() < 0.3 ? 0.2 : 0,
    notAdmitting: random() < 0.5 ? 0.3 : 0,
    slow: random() < 0.5 ? 0.2 : 0,
    cancelling: random() < 0.5 ? 0.1 : 0,
    mixed: random() < 0.5,
  };
  const targets = ["edge", "serverless"].map((name) => faultyTarget(name, clock, random, faults));
  const events: QueueEvent[] = [];
  let record = "";
  const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
    return { name, kind, maxInFlight, assumedLatencyMs };
  });
  const recorder = new Recorder({ policy: from, targets: facts, ...limits }, (line) => {
    record += line;
  });
  const onPlan = (key: string, change: PlanChange): void =>
    recorder.observe({ kind: "plan", key, ...change });
  const policy = given ?? makePolicy(from, limits.sloMs, { onPlan });
  const observe = (event: QueueEvent): void => {
    events.push(event);
    recorder.observe(event);
  };
  const queue = new VirtualQueue<number, number>({
    clock,
    policy,
    targets,
    modelOf: modelOfKey,
    ...limits,
    observe,
  });
  const endsByRequest = new Map<number, number>();
  const tickets: Ticket[] = [];
  let atMs = 0;
  for (let id = 0; id < 300; id++) {
    atMs += -Math.log(1 - random()) * (random() < 0.1 ? 40 : 2);
    clock.advanceTo(atMs);
    endsByRequest.set(id, 0);
    const submission = faults.mixed
      ? {
          payload: id,
          sloMs: 20 + 200 * random(),
          rows: 1 + Math.floor(3 * random()),
          key: `k${id % 3}`,
          bytes: 30,
        }
      : { payload: id };
    tickets.push(
      queue.submit(submission, () => endsByRequest.set(id, (endsByRequest.get(id) as number) + 1)),
    );
    if (random() < faults.cancelling) queue.cancel(tickets[Math.floor(random() * tickets.length)] as Ticket);
  }
  let drained = false;
  queue.close(() => {
    drained = true;
  });
  clock.runAll();
  expect(drained).toBe(true);
  const { submitted, ...rest } = queue.counts;
  expect(Object.values(rest).reduce((sum, count) => sum + count, 0)).toBe(submitted);
  expect(rest).toMatchObject({ waiting: 0, inFlight: 0 });
  return { events, record, endsByRequest };
}

const failures = [
  "target_unavailable",
  "target_throttled",
  "target_broken",
  "target_denied",
  "target_fault",
  "out_of_memory",
  "spend_cap_reached",
  "calls_open",
] as const;
/** How long those who refuse ask to wait. */
const pause = { retryAfterMs: 7 };

function faultyTarget(
  name: string,
  clock: VirtualClock,
  random: Random,
  faults: { failing: number; refusing: number; notAdmitting: number; slow: number },
): Target<number, number> {
  return {
    name,
    kind: name === "edge" ? "edge" : "serverless",
    maxInFlight: 1 + Math.floor(random() * 4),
    assumedLatencyMs: 20,
    admit: () => {
      if (random() >= faults.notAdmitting) return undefined;
      return random() < 0.5
        ? new SpillwayError("spend_cap_reached", "spent", pause)
        : new SpillwayError("calls_open");
    },
    send: (batch: OutgoingBatch<number>, done) => {
      const payloads = payloadsOf(batch);
      const latencyMs = random() < faults.slow ? 150 : 5 + 10 * random();
      const draw = random();
      clock.schedule(clock.nowMs() + latencyMs, () => {
        const code = failures[Math.floor(1_000 * draw) % failures.length] as ErrorCode;
        const error = new SpillwayError(code, code, pause);
        if (draw < faults.failing / 2) done({ ok: false, error });
        else if (draw < faults.failing) {
          const other = new SpillwayError("request_too_large");
          done({ ok: false, error, unanswered: new Map([[0, other]]) });
        } else if (draw < faults.failing + faults.refusing) {
          done({ ok: false, error: new SpillwayError("request_rejected") });
        } else {
          const times = { serviceMs: latencyMs, coldStartMs: latencyMs > 100 ? undefined : 0, cost: 0 };
          if (draw < 0.95 || payloads.length === 1) done({ ok: true, answers: payloads, ...times });
          else {
            const code = draw < 0.97 ? "request_too_large" : "target_throttled";
            const unanswered = new Map([[0, new SpillwayError(code, code, pause)]]);
            done({ ok: true, answers: payloads.slice(1), unanswered, ...times });
          }
        }
      });
    },
  };
}

/** What must hold of the events of any run under the fixed plan; returns what does not. */
function violations({ events, endsByRequest }: Run): string[] {
  const found: string[] = [];
  for (const [id, ends] of endsByRequest) if (ends !== 1) found.push(`request ${id} ended ${ends} times`);
  const arrivals = new Map<number, QueueEvent & { kind: "arrival" }>();
  const ended = new Set<number>();
  const holder = new Map<number, number>();
  const batches = new Map<number, QueueEvent & { kind: "batch" }>();
  /** Until when each target refuses to be sent to. */
  const refusedUntilMs = new Map<string, number>();
  let lastMs = 0;
  for (const event of events) {
    if (event.atMs < lastMs) found.push(`time goes back to ${event.atMs}`);
    lastMs = event.atMs;
    if (event.kind === "arrival") arrivals.set(event.id, event);
    if (event.kind === "end") {
      if (ended.has(event.id)) found.push(`request ${event.id} ends twice`);
      ended.add(event.id);
    }
    if (event.kind === "result") {
      for (const id of batches.get(event.batch)?.requests ?? []) holder.delete(id);
    }
    if (event.kind === "refusal" || event.kind === "batch") {
      const { kind, target, atMs } = event;
      if (atMs < (refusedUntilMs.get(target) ?? 0)) found.push(`${kind} at ${target}, which refuses`);
    }
    if (event.kind === "refusal")
      refusedUntilMs.set(event.target, event.atMs + Math.max(1, event.retryAfterMs ?? 0));
    if (event.kind !== "batch") continue;
    batches.set(event.id, event);
    const limit = event.target === "edge" ? 20 : 2;
    if (event.rows > limit && event.requests.length > 1)
      found.push(`batch ${event.id} has ${event.rows} rows`);
    let earliestMs = 0;
    for (const id of event.requests) {
      const arrival = arrivals.get(id);
      if (arrival === undefined || arrival.atMs > event.atMs) found.push(`request ${id} left before it came`);
      if (ended.has(id)) found.push(`request ${id} left after its end`);
      if (holder.has(id)) found.push(`request ${id} is in two batches at once`);
      holder.set(id, event.id);
      if (arrival === undefined) continue;
      if (arrival.key !== event.key) found.push(`request ${id} shares a batch with another key`);
      const deadlineAtMs = arrival.atMs + arrival.sloMs;
      if (deadlineAtMs <= event.atMs) found.push(`request ${id} left after its deadline`);
      if (deadlineAtMs < earliestMs) found.push(`batch ${event.id} is not in order of deadlines`);
      earliestMs = deadlineAtMs;
    }
  }
  return found;
}

it("ends every request exactly once and breaks no rule, whatever fails", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), (seed) => {
      expect(violations(simulate(seed))).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it("ends every request exactly once under the plan spillway, and its record replays", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), (seed) => {
      const { record, endsByRequest } = simulate(seed, spillway);
      expect([...endsByRequest.values()].every((ends) => ends === 1)).toBe(true);
      const recorded = parseRecord(record, "run");
      expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
    }),
    { numRuns: 60 },
  );
});

it("decides the same for the same seed, and the same again when its record is fed to it", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), (seed) => {
      const run = simulate(seed);
      expect(simulate(seed).record).toBe(run.record);
      const recorded = parseRecord(run.record, "run");
      expect(replayRecord(recorded)).toEqual(recorded.outputs);
    }),
    { numRuns: 60 },
  );
});

it("shows a difference when the record is fed to a queue with another plan", () => {
  const recorded = parseRecord(simulate(7).record, "run");
  const policy = { ...recorded.header.policy, batchRows: [19, 2] };
  const other = { ...recorded, header: { ...recorded.header, policy } };
  let outputs: unknown;
  try {
    outputs = replayRecord(other);
  } catch {
    // A batch of the record was never formed: a difference, too.
  }
  expect(outputs).not.toEqual(recorded.outputs);
});

it("catches a policy that sends more than a target takes", () => {
  const careless: Policy = {
    name: "careless",
    decide: ({ line, targets, nowMs }) => {
      const readyMs = readyAtMs((targets[1] as TargetView).health(nowMs));
      if (readyMs > nowMs) return { kind: "wait", untilMs: readyMs };
      return { kind: "dispatch", count: line.length, target: 1, plannedRows: 2, reason: "full" };
    },
  };
  const hasty: Policy = {
    name: "hoards",
    decide: (view) => {
      if (view.line.length < 25 && !view.draining) return { kind: "wait", untilMs: Infinity };
      const target = view.targets.findIndex((each) => hasRoom(each, view.nowMs));
      if (target < 0) return { kind: "wait", untilMs: Infinity };
      return { kind: "dispatch", count: view.line.length, target, plannedRows: 20, reason: "full" };
    },
  };
  expect(() => simulate(3, fixed, careless)).toThrow(/no room/);
  const found = [1, 2, 3, 4].flatMap((seed) => violations(simulate(seed, fixed, hasty)));
  expect(found.some((text) => text.includes("rows"))).toBe(true);
});

it("names file and line of a record that is damaged", () => {
  expect(() => parseRecord('{"kind":"header"}\n', "r.ndjson")).toThrow("r.ndjson:1: no header");
  const { record } = simulate(1);
  const cut = record.slice(0, record.indexOf("\n") + 20);
  expect(() => parseRecord(cut, "r.ndjson")).toThrow("r.ndjson:2:");
});
