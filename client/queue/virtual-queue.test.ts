import { describe, expect, it } from "vitest";
import { ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import type { Policy } from "../policies/policy.ts";

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe("the fixed plan", () => {
  it("fills batches of 20 for the edge and 2 for functions in turn", () => {
    const { submit, batches } = testQueue();
    for (const id of range(44)) submit(id);
    expect(batches().map(({ target, rows, reason }) => [target, rows, reason])).toEqual([
      ["edge", 20, "full"],
      ["serverless", 2, "full"],
      ["edge", 20, "full"],
      ["serverless", 2, "full"],
    ]);
  });

  it("sends what there is when the oldest request has waited for the timeout", () => {
    const { clock, submit, batches } = testQueue();
    submit(0);
    clock.advanceTo(100);
    submit(1);
    clock.advanceTo(399);
    expect(batches()).toEqual([]);
    clock.advanceTo(500);
    expect(batches()).toMatchObject([{ atMs: 400, rows: 2, reason: "timeout", waitedMs: 400 }]);
  });

  it("tells the policy of a request that has reached its deadline in line", () => {
    const expired: string[] = [];
    const waiting: Policy = {
      name: "waiting",
      decide: () => ({ kind: "wait", untilMs: Infinity }),
      expired: (key, count, nowMs) => expired.push(`${count} of ${key} at ${nowMs}`),
    };
    const { clock, submit } = testQueue(() => ({ policy: waiting }));
    submit(0, { sloMs: 200, key: "a" });
    submit(1, { sloMs: 300, key: "a" });
    clock.runAll();
    expect(expired).toEqual(["1 of a at 200", "1 of a at 300"]);
  });

  it("tells the policy of which lanes requests arrive, expire and are answered late", () => {
    const told: unknown[] = [];
    const alone: Policy = {
      name: "alone",
      decide: ({ nowMs, line, targets }) =>
        nowMs >= 50 && targets[0]?.inFlight === 0
          ? { kind: "dispatch", count: Math.min(2, line.length), target: 0, plannedRows: 2, reason: "full" }
          : { kind: "wait", untilMs: nowMs < 50 ? 50 : Infinity },
      arrived: (_key, _rows, _nowMs, lane) => told.push(["arrived", lane]),
      expired: (_key, _count, _nowMs, lane) => told.push(["expired", lane]),
      ended: ({ late, lateLanes }) => told.push(["ended", late, lateLanes]),
    };
    const { clock, submit } = testQueue((virtual) => ({
      policy: alone,
      lanes: { quick: { sloMs: 100 }, bulk: { sloMs: 9_000 } },
      targets: [new ScriptedTarget(virtual, { name: "edge", latencyMs: 80 })],
    }));
    submit(0, { lane: "quick" });
    submit(1, { lane: "bulk" });
    submit(2, { lane: "quick", sloMs: 120 });
    clock.runAll();
    expect(told.slice(0, 3)).toEqual(["quick", "bulk", "quick"].map((lane) => ["arrived", lane]));
    // The two that were due first left at 50; then the bulk request alone.
    expect(told.slice(3)).toEqual([
      ["ended", 2, ["quick", "quick"]],
      ["ended", 0, []],
    ]);
    submit(3, { lane: "bulk" });
    submit(4, { lane: "bulk" });
    submit(5, { lane: "quick", sloMs: 40 });
    submit(6, { lane: "quick", sloMs: 40 });
    clock.runAll();
    expect(told).toContainEqual(["expired", "quick"]);
  });

  it("sends in time for the earliest deadline, which need not be the oldest request's", () => {
    const { clock, submit, batches } = testQueue();
    submit(0);
    clock.advanceTo(50);
    submit(1, { sloMs: 60 });
    clock.runAll();
    // 110 ms is the deadline, 10 ms the predicted round trip.
    expect(batches()).toMatchObject([{ atMs: 100, requests: [1, 0], reason: "deadline" }]);
  });

  it("learns how long a target takes and leaves the earlier for it", () => {
    const { clock, submit, batches } = testQueue((virtual) => ({
      targets: [new ScriptedTarget(virtual, { name: "edge", latencyMs: 80 })],
      policy: slowTimeout,
    }));
    submit(0, { sloMs: 200 });
    clock.runAll();
    submit(1, { sloMs: 200 });
    clock.runAll();
    expect(batches().map(({ atMs }) => atMs)).toEqual([190, 270 + 120]);
  });

  it("passes over a target that is full, and waits for room when all are", () => {
    const { clock, submit, batches } = testQueue((virtual) => ({
      targets: [
        new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1 }),
        new ScriptedTarget(virtual, { name: "serverless", maxInFlight: 1, latencyMs: 30 }),
      ],
    }));
    for (const id of range(42)) submit(id);
    expect(batches().map(({ target }) => target)).toEqual(["edge", "serverless"]);
    clock.advanceTo(10);
    expect(batches().map(({ target, atMs }) => [target, atMs])).toEqual([
      ["edge", 0],
      ["serverless", 0],
      ["edge", 10],
    ]);
  });
});

const slowTimeout: Policy = {
  name: "last moment",
  decide: ({ nowMs, line, targets }) => {
    const lastMomentMs = line.at(0).deadlineAtMs - (targets[0]?.latencyMs(line.key) ?? 0);
    if (nowMs < lastMomentMs) return { kind: "wait", untilMs: lastMomentMs };
    return { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "deadline" };
  },
};

describe("a request", () => {
  it("is answered with its own answer, and told where and in what company it was served", () => {
    const { clock, submit, ends } = testQueue();
    for (const id of range(20)) submit(id);
    clock.runAll();
    expect(ends.get(7)).toEqual({
      outcome: "served",
      answer: 7,
      target: "edge",
      batchRows: 20,
      queuedMs: 0,
      serviceMs: 5,
    });
  });

  it("never shares a batch with one of another key", () => {
    const { clock, submit, batches } = testQueue();
    for (const id of range(30)) submit(id, { key: id % 2 === 0 ? "even" : "odd" });
    clock.runAll();
    for (const { requests } of batches()) {
      expect(new Set(requests.map((id) => id % 2)).size).toBe(1);
    }
  });

  it("counts with its rows, and goes alone when it has more than a batch", () => {
    const { clock, submit, batches } = testQueue();
    submit(0, { rows: 12 });
    submit(1, { rows: 12 });
    submit(2, { rows: 64 });
    clock.runAll();
    expect(batches().map(({ rows, requests }) => [rows, requests])).toEqual([
      [12, [0]],
      [12, [1]],
      [64, [2]],
    ]);
  });

  it("is refused when the queue is full by rows or by bytes", async () => {
    const { queue } = testQueue(() => ({ maxQueuedRows: 3, maxBytes: 100 }));
    const first = queue.infer({ payload: 0, rows: 3, bytes: 10 });
    await expect(queue.infer({ payload: 1 })).rejects.toMatchObject({ code: "queue_full" });
    const bytes = testQueue(() => ({ maxBytes: 100 })).queue;
    void bytes.infer({ payload: 0, bytes: 60 });
    await expect(bytes.infer({ payload: 1, bytes: 60 })).rejects.toMatchObject({ code: "queue_full" });
    expect(queue.counts).toMatchObject({ submitted: 2, waiting: 1, refused: 1 });
    void first;
  });

  it("is late, not lost, when its answer comes after the deadline", () => {
    const { clock, submit, ends, queue } = testQueue((virtual) => ({
      targets: [new ScriptedTarget(virtual, { name: "edge", latencyMs: 5_000 })],
    }));
    submit(0);
    clock.runAll();
    expect(ends.get(0)).toMatchObject({ outcome: "late", answer: 0 });
    expect(queue.counts.late).toBe(1);
  });

  it("is refused at its deadline when no target could take it", () => {
    const { clock, submit, ends, events } = testQueue((virtual) => ({
      targets: [new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 5_000 })],
    }));
    for (const id of range(21)) submit(id);
    clock.runAll();
    expect(ends.get(20)).toMatchObject({ outcome: "refused", error: { code: "deadline_passed" } });
    const end = { kind: "end", id: 20, atMs: 1_000, outcome: "refused", code: "deadline_passed" };
    expect(events).toContainEqual(expect.objectContaining({ ...end, why: expect.anything() }));
  });

  it("has rows, bytes and an SLO that make sense, or does not exist", () => {
    const { queue } = testQueue();
    for (const bad of [{ rows: 0 }, { rows: 1.5 }, { sloMs: 0 }, { sloMs: Number.NaN }, { bytes: -1 }]) {
      expect(() => queue.submit({ payload: 0, ...bad }, () => {})).toThrow(RangeError);
    }
    expect(queue.counts.submitted).toBe(0);
  });
});

describe("cancelling", () => {
  it("takes a waiting request out, so that it is never sent", () => {
    const { clock, queue, targets, batches } = testQueue();
    const ticket = queue.submit({ payload: 0 }, () => {});
    queue.submit({ payload: 1 }, () => {});
    expect(queue.cancel(ticket)).toBe(true);
    expect(queue.cancel(ticket)).toBe(false);
    clock.runAll();
    expect(batches()).toMatchObject([{ requests: [1] }]);
    expect(targets[0]?.sent[0]?.payloads).toEqual([1]);
    expect(queue.counts).toMatchObject({ submitted: 2, cancelled: 1, served: 1 });
  });

  it("harms none of the batch when the request is under way", () => {
    const { clock, queue, ends, submit } = testQueue();
    let outcome = "";
    const ticket = queue.submit({ payload: 99 }, (end) => {
      outcome = end.outcome;
    });
    for (const id of range(19)) submit(id);
    expect(queue.cancel(ticket)).toBe(true);
    expect(outcome).toBe("cancelled");
    clock.runAll();
    expect([...ends.values()].every((end) => end.outcome === "served")).toBe(true);
    expect(queue.counts).toMatchObject({ served: 19, cancelled: 1, inFlight: 0 });
  });
});

describe("closing", () => {
  it("sends what waits at once, refuses what comes, and says when all has ended", async () => {
    const { clock, queue, submit, batches, ends } = testQueue();
    for (const id of range(3)) submit(id);
    let drained = false;
    queue.close(() => {
      drained = true;
    });
    expect(batches()).toMatchObject([{ rows: 3, reason: "drain" }]);
    await expect(queue.infer({ payload: 9 })).rejects.toMatchObject({ code: "queue_closed" });
    expect(drained).toBe(false);
    clock.runAll();
    expect(drained).toBe(true);
    expect(ends.size).toBe(3);
  });

  it("is over at once when nothing is there", () => {
    const { queue } = testQueue();
    let drained = 0;
    queue.close(() => drained++);
    queue.close(() => drained++);
    expect(drained).toBe(2);
  });
});
