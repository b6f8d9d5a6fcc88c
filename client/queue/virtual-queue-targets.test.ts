import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { ScriptedTarget, testQueue, unavailable } from "../../test/support/scripted-target.ts";
import type { KnownTarget } from "../policies/policy.ts";

const known: KnownTarget = { batchRows: 20 };

function slowQueue(latencyMs = 100) {
  return testQueue((clock) => ({
    targets: [
      new ScriptedTarget(clock, { name: "a", latencyMs, maxInFlight: 1 }),
      new ScriptedTarget(clock, { name: "b", latencyMs, maxInFlight: 1 }),
    ],
    modelOf: (key) => key,
  }));
}

function targetsOf(batches: readonly { readonly target: string }[]): string[] {
  return batches.map(({ target }) => target);
}

it("sends what waits for a removed target elsewhere, and counts what is still answered there", () => {
  const { clock, queue, submit, ends, batches } = slowQueue();
  const gone: number[] = [];
  for (let id = 0; id < 36; id++) submit(id);
  queue.changeTargets({ kind: "remove", name: "a", onGone: () => gone.push(clock.nowMs()) });
  expect(targetsOf(batches())).toEqual(["a", "b"]);
  expect(queue.targetHealth().map(({ name }) => name)).toEqual(["b"]);
  clock.runAll();
  expect(gone).toEqual([100]);
  expect(targetsOf(batches().slice(2)).every((name) => name === "b")).toBe(true);
  expect([...ends.values()].filter(({ outcome }) => outcome === "served").length).toBe(36);
  expect(ends.get(0)).toMatchObject({ target: "a" });
});

it("tells at once that a target is gone of which nothing is under way", () => {
  const { queue } = slowQueue();
  let isGone = false;
  queue.changeTargets({ kind: "remove", name: "b", onGone: () => (isGone = true) });
  expect(isGone).toBe(true);
});

it("uses an added target at once, and lets a name be added again while the old one still answers", () => {
  const { clock, queue, submit, ends, batches } = slowQueue();
  for (let id = 0; id < 60; id++) submit(id);
  queue.changeTargets({ kind: "remove", name: "a" });
  const target = new ScriptedTarget(clock, { name: "a", latencyMs: 10 });
  queue.changeTargets({ kind: "add", target, known });
  expect(targetsOf(batches())).toEqual(["a", "b", "a"]);
  expect(target.sent.length).toBe(1);
  clock.runAll();
  expect(ends.size).toBe(60);
});

it("forgets what a request met at a target that is gone when another one gets its place", () => {
  const denied = { ok: false, error: new SpillwayError("target_denied") } as const;
  const { clock, queue, submit, ends } = testQueue((clock) => ({
    targets: [
      new ScriptedTarget(clock, { name: "a", answer: () => denied }),
      new ScriptedTarget(clock, { name: "b", answer: unavailable }),
    ],
  }));
  for (let id = 0; id < 20; id++) submit(id);
  clock.advanceTo(15);
  queue.changeTargets({ kind: "remove", name: "a" });
  queue.changeTargets({ kind: "add", target: new ScriptedTarget(clock, { name: "c" }), known });
  clock.runAll();
  expect([...ends.values()].every((end) => end.outcome === "served" && end.target === "c")).toBe(true);
});

it("pauses and then probes an added target that did not answer when it was measured", () => {
  const { clock, queue, submit, ends } = slowQueue();
  const fault = new SpillwayError("target_unreachable", "nobody is there");
  const target = new ScriptedTarget(clock, { name: "c" });
  queue.changeTargets({ kind: "add", target, known, fault });
  expect(queue.targetHealth()[2]).toMatchObject({
    name: "c",
    health: "paused",
    pausedForMs: 100,
    why: "nobody is there",
  });
  clock.advanceTo(100);
  expect(queue.targetHealth()[2]).toMatchObject({ health: "probing" });
  for (let id = 0; id < 60; id++) submit(id);
  clock.runAll();
  expect(target.sent.length).toBeGreaterThan(0);
  expect(ends.size).toBe(60);
});

it("sends requests for a model only to targets that list it, as the lists are now", () => {
  const { clock, queue, submit, batches } = slowQueue(10);
  queue.changeTargets({ kind: "models", name: "a", models: ["x", "y"] });
  queue.changeTargets({ kind: "models", name: "b", models: ["x"] });
  const send = (from: number, key: string): string[] => {
    const before = batches().length;
    for (let id = from; id < from + 40; id++) submit(id, { key });
    clock.advanceTo(clock.nowMs() + 600);
    return [...new Set(targetsOf(batches().slice(before)))].sort();
  };
  expect(send(0, "x")).toEqual(["a", "b"]);
  expect(send(100, "y")).toEqual(["a"]);
  queue.changeTargets({ kind: "models", name: "a", models: ["x"] });
  queue.changeTargets({ kind: "models", name: "b", models: undefined });
  expect(send(200, "y")).toEqual(["b"]);
});

it("lets requests wait for a target that has their model, until their deadlines", () => {
  const { clock, queue, submit, ends } = slowQueue(10);
  for (const name of ["a", "b"]) queue.changeTargets({ kind: "models", name, models: [] });
  for (let id = 0; id < 2; id++) submit(id, { key: "z", sloMs: 500 + 500 * id });
  clock.advanceTo(600);
  expect(ends.get(0)).toMatchObject({
    outcome: "refused",
    error: { code: "deadline_passed", message: expect.stringContaining("a: does not have the model") },
  });
  queue.changeTargets({ kind: "models", name: "b", models: ["z"] });
  clock.runAll();
  expect(ends.get(1)).toMatchObject({ outcome: "served", target: "b" });
});

it("refuses a name that is there, and one that is not", () => {
  const { clock, queue } = slowQueue();
  const target = new ScriptedTarget(clock, { name: "a" });
  expect(() => queue.changeTargets({ kind: "add", target, known })).toThrow("there is a target a already");
  expect(() => queue.changeTargets({ kind: "remove", name: "z" })).toThrow("there is no target z");
  queue.changeTargets({ kind: "remove", name: "a" });
  expect(() => queue.changeTargets({ kind: "remove", name: "a" })).toThrow(RangeError);
});

it("keeps no more targets however often they come and go", () => {
  const { clock, queue, submit, batches } = slowQueue();
  for (let round = 0; round < 1_000; round++) {
    const target = new ScriptedTarget(clock, { name: "c" });
    queue.changeTargets({ kind: "add", target, known });
    for (let id = 0; id < 20; id++) submit(round * 20 + id);
    queue.changeTargets({ kind: "remove", name: "c" });
    clock.advanceTo(clock.nowMs() + 1_000);
  }
  expect(queue.counts.submitted).toBe(20_000);
  expect(queue.counts.waiting + queue.counts.inFlight).toBe(0);
  expect(batches().length).toBeGreaterThanOrEqual(1_000);
});
