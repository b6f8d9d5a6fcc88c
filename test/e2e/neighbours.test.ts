/** One bad request, one bad model: what becomes of everybody else, at real targets over scripted servers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { makePolicy, type QueuePolicy } from "../../client/policies/make-policy.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import { type Policy, wrapPolicy } from "../../client/policies/policy.ts";
import type { End } from "../../client/queue/request.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { Target } from "../../client/targets/target.ts";
import type { ModelCall } from "../../client/transports/model-call.ts";
import type { InferResponse } from "../../protocol/message.ts";
import { tensorToNumbers } from "../../protocol/tensor.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import {
  poison,
  runTo,
  type ScriptedCall,
  type ScriptedEnd,
  scriptedServer,
  spoiltBy,
  submissionOf,
} from "../support/scripted-servers.ts";
import { tinySheet } from "../support/tiny-world.ts";

const sloMs = 1_000;

function measured(ms: number) {
  const times = { requestBytes: 30, maxBatch: 8, serviceMs: { "1": [ms], "8": [ms + 4] } };
  return { replicas: 2, link: { rttMs: 0.1, uplinkMbps: 1_000 }, coldStartMs: [], models: { a: times } };
}

function spillwayFor(targets: readonly Pick<Target<never, never>, "name" | "kind">[]): QueuePolicy {
  return {
    name: "spillway",
    sloQuantile: 0.99,
    targets: targets.map(({ name, kind }) =>
      kind === "edge"
        ? { ...measured(10), name, kind }
        : { ...measured(10), name, kind, vcpu: 1, memoryMib: 1_024 },
    ),
    prices: { ...tinySheet, perCall: 0.001 },
  };
}

type Servers = readonly ReturnType<typeof scriptedServer>[];

function queueOf(
  clock: VirtualClock,
  servers: Servers,
  from: QueuePolicy = spillwayFor(servers),
  watch: (policy: Policy) => Policy = (policy) => policy,
) {
  const policy = watch(makePolicy(from, sloMs));
  return new VirtualQueue<ModelCall, InferResponse>({
    clock,
    policy,
    targets: servers,
    sloMs,
    modelOf: modelOfKey,
  });
}

function valueOf(end: End<InferResponse> | undefined): number | undefined {
  if (end === undefined || !("answer" in end)) return undefined;
  const [y] = end.answer.outputs;
  return y && tensorToNumbers(y)[0];
}

describe("a poison request a second in the traffic of four callers", () => {
  /** Ten requests a second of each caller for 20 s, each answered with its own number; who was answered in time. */
  async function traffic(bad: { model: string; value: number } | undefined) {
    const clock = new VirtualClock();
    const edge = scriptedServer(clock, { name: "edge", kind: "edge", endOf: spoiltBy });
    const paid = scriptedServer(clock, { name: "f", kind: "serverless", endOf: spoiltBy });
    const queue = queueOf(clock, [edge, paid]);
    let answered = 0;
    const errors: string[] = [];
    for (let step = 0; step < 200; step++) {
      for (let caller = 0; caller < 4; caller++) {
        const value = 1 + 4 * step + caller;
        queue.submit(submissionOf("a", value), (end) => {
          if (end.outcome === "served" && valueOf(end) === value) answered++;
        });
      }
      if (bad !== undefined && step % 10 === 5)
        queue.submit(submissionOf(bad.model, bad.value), (end) =>
          errors.push("error" in end ? `${end.error.code}: ${end.error.message}` : "answered"),
        );
      await runTo(clock, 100 * (step + 1));
    }
    await runTo(clock, clock.nowMs() + 2 * sloMs);
    return { answered, errors, paidCalls: paid.calls.length };
  }

  it.each([
    ["that its own model fails on", "a", poison.fails, "target_fault: element 0 broke the model"],
    ["that its own model refuses", "a", poison.refused, "request_rejected: element 0 is no input"],
    ["that another model refuses", "b", poison.refused, "request_rejected: element 0 is no input"],
  ])("%s costs the others no answer and no paid call", async (_, model, value, error) => {
    expect(await traffic({ model, value })).toEqual({
      answered: 800,
      errors: Array.from({ length: 20 }, () => error),
      paidCalls: 0,
    });
  });

  it("of a model that never works costs the others no answer, and is tried elsewhere now and then", async () => {
    const { answered, errors, paidCalls } = await traffic({ model: "b", value: poison.fails });
    expect(answered).toBe(800);
    expect(errors).toHaveLength(20);
    // It is tried at the function too, which might have served it, but less and less often.
    expect(paidCalls).toBeLessThan(20);
  });
});

describe("a model that one target cannot run", () => {
  it("is served by the other one, and the first goes on with the other models", async () => {
    const clock = new VirtualClock();
    const broken = ({ model, values, nowMs }: ScriptedCall): ScriptedEnd =>
      model === "b" && nowMs < 10_000
        ? { status: 500, error: "CUDA error: an illegal memory access" }
        : spoiltBy({ model, values, nowMs });
    const servers = [
      scriptedServer(clock, { name: "edge", kind: "edge", endOf: broken }),
      scriptedServer(clock, { name: "f", kind: "serverless", endOf: spoiltBy }),
    ];
    const shown = new Set<string>();
    const queue = queueOf(clock, servers, spillwayFor(servers), (policy) =>
      wrapPolicy(policy, {
        decide: (view) => {
          const { kind } = (view.targets[0] as (typeof view.targets)[0]).health(view.nowMs);
          shown.add(`${modelOfKey(view.line.key)} ${kind}`);
          return policy.decide(view);
        },
      }),
    );
    const outcomes = new Map<string, number>();
    for (let step = 0; step < 200; step++) {
      for (const model of ["b", "a"])
        queue.submit(submissionOf(model, 1), ({ outcome }) => {
          outcomes.set(`${model} ${outcome}`, (outcomes.get(`${model} ${outcome}`) ?? 0) + 1);
        });
      await runTo(clock, 100 * (step + 1));
    }
    await runTo(clock, clock.nowMs() + 2 * sloMs);
    expect(Object.fromEntries(outcomes)).toEqual({ "a served": 200, "b served": 200 });
    expect(shown).toContain("b paused");
    expect(shown).toContain("b probing");
    expect(shown).not.toContain("a paused");
    // Probed while it failed, and used again afterwards.
    const ofB = servers[0]?.calls.filter(({ model }) => model === "b") ?? [];
    expect(ofB.filter(({ nowMs }) => nowMs < 10_000).length).toBeLessThan(20);
    expect(ofB.filter(({ nowMs }) => nowMs > 16_000).length).toBeGreaterThan(30);
    expect(new Set(servers[1]?.calls.map(({ model }) => model))).toEqual(new Set(["b"]));
  });
});

/** How a server of the random mixes behaves towards a model, beside what spoils a call. */
const moods = ["well", "well", "fails", "refuses", "mixes", "few rows"] as const;

/** What a server does as a whole for a second now and then. */
const troubles = ["none", "none", "gone", "throttles", "unavailable"] as const;

const models = ["a", "b", "c"];

function chaos(seed: number) {
  const random = seededRandom(seed);
  const oneOf = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const clock = new VirtualClock();
  const server = (name: string, kind: "edge" | "serverless", isSteady: boolean) => {
    const moodOf = new Map(models.map((model) => [model, isSteady ? "well" : oneOf(moods)]));
    const trouble = isSteady ? "none" : oneOf(troubles);
    return scriptedServer(clock, {
      name,
      kind,
      maxInFlight: 8,
      latencyMs: (rows) => 5 + rows,
      endOf: (call) => {
        const isTroubled = Math.floor(call.nowMs / 500) % 2 === 1;
        if (isTroubled && trouble === "gone") return "gone";
        if (isTroubled && trouble === "throttles") return { status: 429, error: "slow down" };
        if (isTroubled && trouble === "unavailable") return { status: 503, error: "not now" };
        const mood = moodOf.get(call.model);
        if (mood === "fails") return { status: 500, error: "it is broken" };
        if (mood === "refuses" && call.values.length > 1) return { status: 400, error: "one row, please" };
        if (mood === "few rows" && call.values.length > 3) return { status: 500, error: "3 rows at most" };
        const end = spoiltBy(call);
        return end === "answer" && mood === "mixes" ? "mixed" : end;
      },
    });
  };
  // One of them works for whatever can be answered. Retries of calls of functions have a budget, which could bar those
  // that failed at one function from another.
  const isPaid = random() < 0.3;
  const servers = [
    server("steady", isPaid ? "serverless" : "edge", true),
    server("edge", "edge", false),
    server("other", isPaid ? "edge" : "serverless", false),
  ];
  return { random, oneOf, clock, servers };
}

it("answers every innocent when some target works, and ends every request once, whatever the others do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(0xffff_ffff), async (seed) => {
      const { random, oneOf, clock, servers } = chaos(seed);
      const from: QueuePolicy =
        random() < 0.5
          ? spillwayFor(servers)
          : { name: "fixed", batchRows: [6, 6, 4], timeoutMs: 1 + 20 * random() };
      let requests = 0;
      let batches = 0;
      const queue = queueOf(clock, servers, from, (policy) =>
        wrapPolicy(policy, {
          sent: (batch) => {
            batches += batch.rows;
            policy.sent?.(batch);
          },
        }),
      );
      const ends = new Map<number, End<InferResponse>[]>();
      const values = new Map<number, number>();
      for (let step = 0; step < 150; step++) {
        for (let count = Math.floor(4 * random()); count > 0; count--) {
          const id = requests++;
          const value = random() < 0.05 ? oneOf([poison.fails, poison.refused]) : 1 + id;
          values.set(id, value);
          ends.set(id, []);
          queue.submit(submissionOf(oneOf(models), value), (end) => ends.get(id)?.push(end));
        }
        await runTo(clock, 10 * (step + 1));
      }
      await runTo(clock, clock.nowMs() + 3 * sloMs);
      for (const [id, own] of ends) {
        const value = values.get(id) as number;
        expect(own).toHaveLength(1);
        const [end] = own as [End<InferResponse>];
        // When it is answered is the policy's matter: a call may leave at its last moment and be late by a hair.
        if (value > 0)
          expect([id, valueOf(end), "error" in end && end.error.message]).toEqual([id, value, false]);
        else if ("error" in end) expect(end.error.message).not.toMatch(/element [1-9]/);
        else expect(end.outcome).toBe("poison is not answered");
      }
      const calls = servers.reduce((sum, { calls: own }) => sum + own.length, 0);
      expect(calls).toBeLessThanOrEqual(2 * batches);
    }),
    { numRuns: 40 },
  );
});
