import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { ScriptedTarget } from "../../test/support/scripted-target.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Standing } from "./model-health.ts";
import type { TargetKind } from "./target.ts";
import { type Blame, TargetState } from "./target-state.ts";
import { readyAtMs } from "./target-view.ts";

it("stays paused when a batch of before comes back that was throttled in part", () => {
  const state = new TargetState(
    new ScriptedTarget(new VirtualClock(), { name: "f" }),
    () => 0,
    new RetryBudget(),
  );
  const batches = [0, 5].map((formedAtMs) => ({ key: "k", rows: 2, formedAtMs, isRetry: false }));
  for (const batch of batches) state.sent(batch);
  const [first, second] = batches as [(typeof batches)[0], (typeof batches)[0]];
  const error = new SpillwayError("target_throttled");
  state.ended(first, { ok: false, error }, 20);
  expect(readyAtMs(state.health(30))).toBe(120);
  const partly = { ok: true, answers: [1], serviceMs: undefined, coldStartMs: 0, cost: 0 } as const;
  state.ended(second, { ...partly, unanswered: new Map([[1, error]]) }, 25);
  expect(readyAtMs(state.health(30))).toBe(120);
});

describe("the health of a model at a target", () => {
  const second = 1_000;

  /** A target with one call at a time, of `key model`; each takes 10 ms. */
  function worked(kind: TargetKind = "edge") {
    const target = new ScriptedTarget(new VirtualClock(), { name: "t", kind });
    const state = new TargetState(
      target,
      () => 0,
      new RetryBudget(),
      (key) => key.split(" ")[0] as string,
    );
    const call = (
      key: string,
      endedAtMs: number,
      code?: ErrorCode,
      options: { isAlone?: boolean; standing?: Standing; isNews?: boolean; isOfTarget?: boolean } = {},
    ): Blame | undefined => {
      const { isOfTarget, ...facts } = options;
      const batch = { key, rows: 1, formedAtMs: endedAtMs - 10, isRetry: false, ...facts };
      state.sent(batch);
      const error = code && new SpillwayError(code, code, { isOfTarget });
      const ok = { ok: true, answers: [1], serviceMs: 5, coldStartMs: 0, cost: 0 } as const;
      return state.ended(batch, error === undefined ? ok : { ok: false, error }, endedAtMs);
    };
    const healthOf = (model: string, nowMs: number, standing: Standing = "usual"): string =>
      state.healthFor(model, standing, nowMs).kind;
    return { state, call, healthOf };
  }

  it("is that of the request when the model answered others of late and nobody else has failed since", () => {
    const { state, call, healthOf } = worked();
    call("a [1]", 100);
    expect(call("a [2]", 200, "target_fault")).toBe("request");
    expect(
      ["usual", "failed", "suspect"].map((standing) => healthOf("a", 201, standing as Standing)),
    ).toEqual(["healthy", "healthy", "healthy"]);
    // Sent once more, alone.
    expect(call("a [2]", 220, "target_fault", { standing: "suspect", isNews: false })).toBe("request");
    expect(state.models.has("a")).toBe(true);
    call("a [1]", 240);
    expect(state.models.size).toBe(0);
  });

  it.each([
    ["never answered", undefined],
    ["has not answered for long", -20 * second],
  ])("is that of the model when it %s, and delays only what failed", (_, answeredAtMs) => {
    const { call, healthOf } = worked();
    if (answeredAtMs !== undefined) call("a", answeredAtMs);
    expect(call("a", 100, "target_fault")).toBe("model");
    expect(healthOf("a", 101)).toBe("healthy");
    expect(healthOf("a", 101, "failed")).toBe("paused");
    expect(healthOf("a", 201, "failed")).toBe("probing");
  });

  it("pauses the model for all after three failed batches in a row of different requests", () => {
    const { call, healthOf, state } = worked();
    call("a", 0);
    call("b", 0);
    expect(call("a", 100, "target_fault")).toBe("request");
    expect(call("a", 120, "target_fault")).toBe("model");
    for (const atMs of [130, 140, 150])
      call("a", atMs, "target_fault", { standing: "failed", isNews: false });
    expect(healthOf("a", 151)).toBe("healthy");
    call("a", 160, "target_fault");
    expect(healthOf("a", 161)).toBe("paused");
    expect(healthOf("b", 161)).toBe("healthy");
    expect(state.health(161).kind).toBe("healthy");
    // An answer ends it.
    call("a", 300);
    expect(healthOf("a", 301)).toBe("healthy");
  });

  it("counts an answer in between", () => {
    const { call, healthOf } = worked();
    for (let atMs = 100; atMs < 2_000; atMs += 100)
      call("a", atMs, atMs % 300 === 0 ? undefined : "target_fault");
    expect(healthOf("a", 2_001)).toBe("healthy");
  });

  it("becomes that of the target when three models fail and nobody is answered", () => {
    const { call, state } = worked();
    for (const model of ["a", "b", "a"]) call(model, 100, "target_fault");
    expect(state.health(101).kind).toBe("healthy");
    call("c", 120, "target_fault");
    expect(state.health(121).kind).toBe("paused");
    expect(state.pauseReason(121, "d")?.message).toBe("calls of several models failed there");
    call("b", 300);
    expect(state.health(301).kind).toBe("healthy");
  });

  it.each([
    "target_unreachable",
    "target_timeout",
    "target_unavailable",
    "target_throttled",
    "target_broken",
  ] as const)("does not matter when the target itself fails (%s)", (code) => {
    const { call, state, healthOf } = worked();
    call("a", 0);
    expect(call("a", 100, code)).toBe("target");
    expect(state.health(101).kind).toBe("paused");
    expect(healthOf("b", 101)).toBe("paused");
  });

  it("does not matter when a gateway says that it reaches nobody", () => {
    const { call, state } = worked();
    expect(call("a", 100, "target_fault", { isOfTarget: true })).toBe("target");
    expect(state.health(101).kind).toBe("paused");
  });

  it("is to blame for a timeout when the target answered what was sent later", () => {
    const { call, state } = worked();
    call("b", 95);
    expect(call("a", 94, "target_timeout")).toBe("model");
    expect(state.health(100).kind).toBe("healthy");
    expect(call("a", 120, "target_timeout")).toBe("target");
  });

  it.each(["target_unavailable", "target_throttled"] as const)(
    "is to blame for %s where others are answered at that time",
    (code) => {
      const { call, state } = worked();
      call("b", 95);
      expect(call("a", 100, code)).toBe("model");
      expect(state.health(101).kind).toBe("healthy");
      // Nobody was answered since: it may be all of the target.
      call("b", 101, "target_unreachable");
      expect(call("a", 300, code)).toBe("target");
    },
  );

  it("is not to blame for throttling by functions, whose limit all share", () => {
    const { call } = worked("serverless");
    call("b", 95);
    expect(call("a", 100, "target_throttled")).toBe("target");
  });

  it("ends the pause of a target that was gone: it answers, if only with a failure", () => {
    const { call, state } = worked();
    call("a", 100, "target_unreachable");
    expect(call("a", 300, "target_fault")).toBe("model");
    expect(state.health(301).kind).toBe("healthy");
  });

  it("is remembered of so many models only", () => {
    const { call, state } = worked();
    for (let model = 0; model < 1_000; model++) call(`m${model}`, 100 + model, "target_fault");
    expect(state.models.size).toBeLessThanOrEqual(64);
  });

  it("is not affected by a batch of which only some were failed", () => {
    const { state, healthOf } = worked();
    const batch = { key: "a", rows: 2, formedAtMs: 0, isRetry: false, isAlone: false };
    state.sent(batch);
    const unanswered = new Map([[1, new SpillwayError("target_fault")]]);
    const partly = {
      ok: true,
      answers: [1],
      unanswered,
      serviceMs: undefined,
      coldStartMs: 0,
      cost: 0,
    } as const;
    expect(state.ended(batch, partly, 10)).toBeUndefined();
    expect(healthOf("a", 11, "failed")).toBe("healthy");
  });
});
