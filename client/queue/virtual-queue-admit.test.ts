/** What the queue does with a batch that its target does not admit. */
import { describe, expect, it } from "vitest";
import { eager, failed } from "../../test/support/failing-functions.ts";
import { ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { SpillwayError } from "../../base/errors.ts";
import { type Policy, wrapPolicy } from "../policies/policy.ts";
import type { OutgoingBatch, Target } from "../targets/target.ts";

function spent(retryAfterMs?: number): SpillwayError {
  return new SpillwayError("spend_cap_reached", "spent", { retryAfterMs });
}

/** A function that refuses its first calls, and when it was asked for what. */
function sparing(refusals: number, retryAfterMs?: number) {
  const asked: { readonly atMs: number; readonly batch: OutgoingBatch<number> }[] = [];
  const make = (clock: ConstructorParameters<typeof ScriptedTarget>[0]): ScriptedTarget =>
    new ScriptedTarget(clock, {
      name: "f",
      kind: "serverless",
      refusal: (nowMs, batch) => {
        asked.push({ atMs: nowMs, batch });
        return asked.length <= refusals ? spent(retryAfterMs) : undefined;
      },
    });
  return { asked, make };
}

describe("a target that refuses a batch", () => {
  it("is not asked again before the time that it names, and its requests stay in line with their attempts", () => {
    const { asked, make } = sparing(1, 500);
    const { clock, submit, queue, targets, ends, events } = testQueue((virtual) => ({
      policy: eager,
      maxAttempts: 1,
      targets: [make(virtual)],
    }));
    for (const id of [0, 1]) submit(id);
    clock.advanceTo(499);
    expect(queue.counts).toMatchObject({ waiting: 2, inFlight: 0 });
    clock.runAll();
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 500, 500]);
    expect(targets[0]?.sent.map(({ atMs }) => atMs)).toEqual([500, 500]);
    for (const id of [0, 1]) expect(ends.get(id)).toMatchObject({ outcome: "served", queuedMs: 500 });
    expect(events.filter(({ kind }) => kind === "refusal")).toMatchObject([
      {
        kind: "refusal",
        atMs: 0,
        target: "f",
        key: "",
        code: "spend_cap_reached",
        message: "spent",
        retryAfterMs: 500,
      },
    ]);
  });

  it("is asked for the batch that would be sent, which has the id that the next batch gets", () => {
    const { asked, make } = sparing(1, 500);
    const { clock, submit, batches } = testQueue((virtual) => ({ policy: eager, targets: [make(virtual)] }));
    submit(7);
    clock.runAll();
    expect(asked.map(({ batch }) => batch)).toMatchObject([
      { id: 0, rows: 1, deadlineAtMs: 1_000, parts: [{ payload: 7, fromRow: 0, toRow: 1 }] },
      { id: 0, rows: 1, parts: [{ payload: 7 }] },
    ]);
    expect(batches().map(({ id, requests }) => [id, requests])).toEqual([[0, [0]]]);
  });

  it("leaves its requests to an edge meanwhile", () => {
    const { make } = sparing(1, 500);
    const { clock, submit, targets, ends } = testQueue((virtual) => ({
      policy: eager,
      maxAttempts: 1,
      targets: [make(virtual), new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 300 })],
    }));
    for (const id of [0, 1, 2]) submit(id);
    clock.runAll();
    expect(targets[1]?.sent).toEqual([
      { atMs: 0, payloads: [0] },
      { atMs: 300, payloads: [1] },
    ]);
    expect(targets[0]?.sent).toEqual([{ atMs: 500, payloads: [2] }]);
    expect([...ends.values()].map(({ outcome }) => outcome)).toEqual(["served", "served", "served"]);
  });

  it("has not failed: it takes as many batches as before once the time is over", () => {
    const { make } = sparing(1, 50);
    const { clock, submit, targets } = testQueue((virtual) => ({ policy: eager, targets: [make(virtual)] }));
    for (let id = 0; id < 20; id++) submit(id);
    clock.runAll();
    expect(targets[0]?.sent.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 20 }, () => 50));
  });

  it("is left in peace for 1 ms when it names no time", () => {
    const { asked, make } = sparing(3);
    const { clock, submit } = testQueue((virtual) => ({ policy: eager, targets: [make(virtual)] }));
    submit(0);
    clock.runAll();
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 1, 2, 3]);
  });

  it("stays paused although a call that was under way is answered", () => {
    let isSpent = false;
    const { clock, submit, targets } = testQueue((virtual) => ({
      policy: eager,
      targets: [
        new ScriptedTarget(virtual, {
          name: "f",
          kind: "serverless",
          refusal: (nowMs) => (isSpent && nowMs < 300 ? spent(300 - nowMs) : undefined),
        }),
      ],
    }));
    submit(0);
    isSpent = true;
    clock.advanceTo(5);
    submit(1);
    clock.runAll();
    // 0 was answered at 10.
    expect(targets[0]?.sent.map(({ atMs }) => atMs)).toEqual([0, 300]);
  });

  it("ends requests that nobody else could take with its reason, and says when to come back", () => {
    const { clock, submit, ends } = testQueue((virtual) => ({
      policy: eager,
      sloMs: 50,
      targets: [
        new ScriptedTarget(virtual, {
          name: "edge",
          maxInFlight: 1,
          answer: () => failed("target_unreachable", "edge: ECONNREFUSED"),
        }),
        new ScriptedTarget(virtual, { name: "f", kind: "serverless", refusal: () => spent(9_000) }),
      ],
    }));
    for (const id of [0, 1, 2]) submit(id);
    clock.runAll();
    for (const id of [1, 2]) {
      expect(ends.get(id)).toMatchObject({
        outcome: "refused",
        error: {
          code: "spend_cap_reached",
          message: "spent. edge: paused (edge: ECONNREFUSED); f: paused (spent).",
          retryAfterMs: 8_950,
        },
      });
    }
  });

  it("is followed by `send` of the same batch, with nothing between, when it admits it", () => {
    const calls: string[] = [];
    const { clock, submit } = testQueue((virtual) => {
      const scripted = new ScriptedTarget(virtual, { name: "f" });
      const target: Target<number, number> = {
        name: "f",
        kind: "serverless",
        maxInFlight: 3,
        assumedLatencyMs: 1,
        admit: ({ id }) => void calls.push(`admit ${id}`),
        send: (batch, done) => {
          calls.push(`send ${batch.id}`);
          scripted.send(batch, done);
        },
      };
      return { policy: eager, targets: [target] as never };
    });
    for (let id = 0; id < 5; id++) submit(id);
    clock.runAll();
    expect(calls).toEqual([0, 1, 2, 3, 4].flatMap((id) => [`admit ${id}`, `send ${id}`]));
  });
});

describe("a policy whose batch is refused", () => {
  it("is not told that its decision was carried out, nor that a batch left", () => {
    const { make } = sparing(1, 500);
    const told: string[] = [];
    const telling = wrapPolicy(eager, {
      took: ({ nowMs }, { kind }) => told.push(`took ${kind} ${nowMs}`),
      sent: ({ formedAtMs }) => told.push(`sent ${formedAtMs}`),
    });
    const { clock, submit } = testQueue((virtual) => ({ policy: telling, targets: [make(virtual)] }));
    submit(0);
    clock.runAll();
    expect(told).toEqual(["took wait 0", "took dispatch 500", "sent 500"]);
  });

  it("must not send there again while it is refused", () => {
    const { make } = sparing(1, 500);
    const blind: Policy = {
      name: "blind",
      decide: () => ({ kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" }),
    };
    const { submit } = testQueue((virtual) => ({ policy: blind, targets: [make(virtual)] }));
    expect(() => submit(0)).toThrow(new RangeError("policy blind sends to target 0, which refuses for now"));
  });
});
