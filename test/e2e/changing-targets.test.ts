/** The queue while targets come, go, fail and serve other models, with checkers that know only its events. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { type Random, seededRandom } from "../../base/random.ts";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import type { KnownTarget } from "../../client/policies/policy.ts";
import type { ProfiledTarget } from "../../client/policies/profile.ts";
import { listedNameOfKey, modelOfKey } from "../../client/policies/queue-key.ts";
import type { QueueEvent } from "../../client/queue/queue-event.ts";
import type { Ticket } from "../../client/queue/request.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target, TargetKind } from "../../client/targets/target.ts";
import { checkRecord } from "../../replay/records/check-record.ts";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { tinySheet } from "../support/tiny-world.ts";

const limits = { sloMs: 100, maxQueuedRows: 200, maxBytes: 50_000, maxAttempts: 3, seed: 5 };
const names = ["e1", "e2", "e3", "e4"];
const models = ["k0", "k1"];
const times = { requestBytes: 30, maxBatch: 8, serviceMs: { "1": [5, 8], "8": [6, 11] } };

function profiled(name: string, kind: TargetKind = "edge", known = models): ProfiledTarget {
  const facts = {
    name,
    replicas: 2,
    link: { rttMs: 0.5, uplinkMbps: 100 },
    coldStartMs: [],
    models: Object.fromEntries(known.map((model) => [model, times])),
  };
  return kind === "edge" ? { ...facts, kind } : { ...facts, kind, vcpu: 1, memoryMib: 1_024 };
}

const fixed: QueuePolicy = { name: "fixed", batchRows: [8, 8, 2], timeoutMs: 40 };
const spillway: QueuePolicy = {
  name: "spillway",
  sloQuantile: 0.99,
  targets: [profiled("e1"), profiled("e2"), profiled("f", "serverless")],
  prices: { ...tinySheet, perCall: 0.001 },
};

interface Run {
  readonly events: readonly QueueEvent[];
  readonly record: string;
  readonly ends: ReadonlyMap<number, number>;
}

/** Targets that fail, and come and go, as the seed says. */
class Scripted implements Target<number, number> {
  readonly assumedLatencyMs = 10;
  readonly maxInFlight = 4;
  readonly name: string;
  readonly kind: TargetKind;
  readonly #clock: VirtualClock;
  readonly #random: Random;

  constructor(name: string, kind: TargetKind, clock: VirtualClock, random: Random) {
    [this.name, this.kind, this.#clock, this.#random] = [name, kind, clock, random];
  }

  send({ parts }: Parameters<Target<number, number>["send"]>[0], done: (result: never) => void): void {
    const takesMs = 6 + 6 * this.#random() + (this.#random() < 0.05 ? 200 : 0);
    const isLost = this.#random() < 0.1;
    this.#clock.schedule(this.#clock.nowMs() + takesMs, () => {
      const error = new SpillwayError(this.#random() < 0.5 ? "target_unreachable" : "model_not_found");
      const answers = parts.map(({ payload }) => payload);
      const result = isLost
        ? { ok: false, error }
        : { ok: true, answers, serviceMs: takesMs - 1, serverQueuedMs: 0, coldStartMs: 0, cost: 0 };
      done(result as never);
    });
  }
}

function simulate(seed: number, from: QueuePolicy): Run {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const events: QueueEvent[] = [];
  const ends = new Map<number, number>();
  let record = "";
  const targets = [
    ...["e1", "e2"].map((name) => new Scripted(name, "edge", clock, random)),
    new Scripted("f", "serverless", clock, random),
  ];
  const facts = targets.map(({ name, kind, maxInFlight, assumedLatencyMs }) => {
    return { name, kind, maxInFlight, assumedLatencyMs };
  });
  const recorder = new Recorder({ policy: from, targets: facts, ...limits }, (line) => (record += line));
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: makePolicy(from, limits.sloMs, {
      onPlan: (key, change) => recorder.observe({ kind: "plan", key, ...change }),
    }),
    targets,
    modelOf: modelOfKey,
    listedAs: listedNameOfKey,
    ...limits,
    observe: (event) => {
      events.push(event);
      recorder.observe(event);
    },
  });
  const live = new Set(["e1", "e2"]);
  const tickets: Ticket[] = [];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const change = (): void => {
    const name = pick(names);
    if (!live.has(name)) {
      const known: KnownTarget =
        from.name === "fixed"
          ? { batchRows: 8 }
          : { profile: profiled(name, "edge", random() < 0.5 ? models : ["k1"]) };
      const fault = random() < 0.3 ? new SpillwayError("target_unreachable") : undefined;
      queue.changeTargets({
        kind: "add",
        target: new Scripted(name, "edge", clock, random),
        known,
        models: random() < 0.3 ? ["k0"] : undefined,
        fault,
      });
      live.add(name);
    } else if (random() < 0.5) {
      queue.changeTargets({ kind: "remove", name });
      live.delete(name);
    } else {
      const listed = random() < 0.3 ? undefined : models.filter(() => random() < 0.6);
      queue.changeTargets({ kind: "models", name, models: listed });
    }
  };
  for (let step = 0; step < 400; step++) {
    clock.advanceTo(clock.nowMs() + 4 * random());
    if (random() < 0.05) change();
    if (random() < 0.03 && tickets.length > 0) queue.cancel(pick(tickets));
    const id = tickets.length;
    ends.set(id, 0);
    const key = `${pick(models)}${random() < 0.1 ? "%2Fversions%2F2" : ""} s`;
    const rows = random() < 0.05 ? 12 : 1 + Math.floor(2 * random());
    tickets.push(
      queue.submit({ payload: id, key, rows, bytes: 30 }, () => ends.set(id, (ends.get(id) ?? 0) + 1)),
    );
  }
  queue.close();
  clock.runAll();
  return { events, record, ends };
}

/** Sends that the lists of targets at that time forbid. */
function forbiddenSends(events: readonly QueueEvent[]): string[] {
  const listed = new Map<string, readonly string[] | null>(["e1", "e2", "f"].map((name) => [name, null]));
  const bad: string[] = [];
  for (const event of events) {
    if (event.kind === "target-added") listed.set(event.target.name, event.models ?? null);
    else if (event.kind === "target-removed") listed.delete(event.target);
    else if (event.kind === "target-models") listed.set(event.target, event.models);
    else if (event.kind === "batch") {
      const has = listed.get(event.target);
      const model = listedNameOfKey(event.key);
      if (has === undefined || has?.includes(model) === false)
        bad.push(`batch ${event.id} of ${model} to ${event.target}`);
    }
  }
  return bad;
}

it.each([
  ["spillway", spillway],
  ["the fixed plan", fixed],
] as const)(
  "ends every request once, sends to nobody who is gone, and replays to the same decisions: %s",
  { tags: ["slow"] },
  (_, policy) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seed) => {
        const { events, record, ends } = simulate(seed, policy);
        expect([...ends.values()].every((count) => count === 1)).toBe(true);
        expect(forbiddenSends(events)).toEqual([]);
        const run = parseRecord(record, `seed ${seed}`);
        const again = JSON.parse(JSON.stringify(replayRecord(run)));
        expect(again).toEqual(run.outputs);
      }),
      { numRuns: 10 },
    );
  },
);

it("decides otherwise where the changes of targets are not told", { tags: ["slow"] }, () => {
  const run = parseRecord(simulate(7, spillway).record, "run");
  expect(checkRecord(run, []).difference).toBeUndefined();
  const inputs = run.inputs.filter(({ kind }) => !kind.startsWith("target-"));
  expect(inputs.length).toBeLessThan(run.inputs.length);
  expect(checkRecord({ ...run, inputs }, []).difference).toBeDefined();
});
