import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { fixedPolicy } from "../policies/fixed.ts";
import type { BatchPart, BatchResult, OutgoingBatch, Target } from "../targets/target.ts";
import type { QueueEvent } from "./queue-event.ts";
import type { VirtualQueueOptions } from "./queue-options.ts";
import type { End, Submission } from "./request.ts";
import { VirtualQueue } from "./virtual-queue.ts";

type Batch = OutgoingBatch<string>;

/** The rows of a part, by which an answer shows whose it is. */
function rowsOf({ payload, fromRow, toRow }: BatchPart<string>): string[] {
  return Array.from({ length: toRow - fromRow }, (_, index) => `${payload}${fromRow + index}`);
}

function answered({ parts }: Batch): BatchResult<string[]> {
  return { ok: true, answers: parts.map(rowsOf), serviceMs: 5, coldStartMs: 0, cost: 0 };
}

function queueOf(
  answer: (batch: Batch, target: string) => BatchResult<string[]>,
  options: Partial<VirtualQueueOptions<string, string[]>> = {},
) {
  const clock = new VirtualClock();
  const sent: Batch[] = [];
  const events: QueueEvent[] = [];
  const ends = new Map<string, End<string[]>>();
  const target = (name: string, kind: Target<string, string[]>["kind"]): Target<string, string[]> => ({
    name,
    kind,
    maxInFlight: 100,
    assumedLatencyMs: 10,
    send: (batch, done) => {
      sent.push(batch);
      clock.schedule(clock.nowMs() + 10, () => done(answer(batch, name)));
    },
  });
  const queue = new VirtualQueue<string, string[]>({
    clock,
    policy: fixedPolicy({ batchRows: [4, 2], timeoutMs: 100 }),
    targets: [target("edge", "edge"), target("function", "serverless")],
    sloMs: 1_000,
    joinAnswers: (_, answers) => answers.flatMap(({ answer }) => answer),
    observe: (event) => events.push(event),
    ...options,
  });
  const submit = (payload: string, rows: number, more: Partial<Submission<string>> = {}) =>
    queue.submit({ payload, rows, isSplittable: true, ...more }, (end) => {
      if (ends.has(payload)) throw new Error(`${payload} ended twice`);
      ends.set(payload, end);
    });
  return { clock, queue, sent, events, ends, submit };
}

const all = (payload: string, rows: number): string[] =>
  Array.from({ length: rows }, (_, row) => `${payload}${row}`);

describe("a request that may be split", () => {
  it("goes to several targets in full batches, and its answer is put together in order", () => {
    const { clock, ends, events, submit } = queueOf(answered);
    submit("a", 13);
    clock.runAll();
    const batches = events.filter((event) => event.kind === "batch");
    expect(batches.map(({ target, requests, ranges }) => [target, requests, ranges])).toEqual([
      ["edge", [0], [[0, 4]]],
      ["function", [0], [[4, 6]]],
      ["edge", [0], [[6, 10]]],
      ["function", [0], [[10, 12]]],
      ["edge", [0], [[12, 13]]],
    ]);
    expect(ends.get("a")).toMatchObject({
      outcome: "served",
      answer: all("a", 13),
      target: "edge+function",
      batchRows: 4,
      queuedMs: 100,
    });
  });

  it("shares batches with small requests of others, and each gets its own rows", () => {
    const { clock, ends, sent, submit } = queueOf(answered, {
      policy: fixedPolicy({ batchRows: [4, 4], timeoutMs: 100 }),
    });
    submit("a", 1);
    submit("b", 6);
    submit("c", 1);
    clock.runAll();
    expect(sent.map(({ parts }) => parts.flatMap(rowsOf))).toEqual([
      ["a0", "b0", "b1", "b2"],
      ["b3", "b4", "b5", "c0"],
    ]);
    for (const [payload, rows] of [
      ["a", 1],
      ["b", 6],
      ["c", 1],
    ] as const)
      expect(ends.get(payload)).toMatchObject({ answer: all(payload, rows) });
  });

  it("is tried again only with the rows that failed", () => {
    let failures = 0;
    const { clock, ends, sent, submit } = queueOf((batch, target) =>
      target === "function" && failures++ === 0
        ? { ok: false, error: new SpillwayError("target_unavailable") }
        : answered(batch),
    );
    submit("a", 6);
    clock.runAll();
    expect(ends.get("a")).toMatchObject({ outcome: "served", answer: all("a", 6) });
    const rows = sent.flatMap(({ parts }) => parts.flatMap(rowsOf));
    expect(rows.toSorted()).toEqual([...all("a", 6), "a4", "a5"].toSorted());
  });

  it("ends once, with the error, when one of its rows cannot be served, and frees what waits", () => {
    const { clock, ends, queue, sent, submit } = queueOf(
      (batch) =>
        batch.parts.some(({ fromRow }) => fromRow === 0)
          ? { ok: false, error: new SpillwayError("request_rejected", "row 0 is odd") }
          : answered(batch),
      {
        policy: {
          name: "one at a time",
          decide: ({ targets, nowMs }) =>
            targets[0]?.inFlight === 0
              ? { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" }
              : { kind: "wait", untilMs: nowMs + 1_000 },
        },
      },
    );
    submit("a", 50);
    submit("b", 1);
    clock.runAll();
    expect(ends.get("a")).toMatchObject({ outcome: "failed", error: { code: "request_rejected" } });
    expect(ends.get("b")).toMatchObject({ outcome: "failed" });
    expect(sent).toHaveLength(2);
    expect(queue.counts).toMatchObject({ waiting: 0, inFlight: 0, failed: 2 });
    expect(queue.lanes).toEqual({ "": { requests: 0, rows: 0, bytes: 0 } });
  });

  it("is cancelled as a whole", () => {
    const { clock, ends, queue, submit } = queueOf(answered);
    const ticket = submit("a", 5);
    expect(queue.cancel(ticket)).toBe(true);
    expect(queue.cancel(ticket)).toBe(false);
    clock.runAll();
    expect(ends.get("a")).toMatchObject({ outcome: "cancelled" });
    expect(queue.counts).toMatchObject({ waiting: 0, inFlight: 0, cancelled: 1 });
  });

  it("stays whole in a queue that cannot join answers", () => {
    const { clock, sent, submit } = queueOf(answered, { joinAnswers: undefined });
    submit("a", 13);
    clock.runAll();
    expect(sent.map(({ rows }) => rows)).toEqual([13]);
  });
});

describe("a lane", () => {
  const lanes = { quick: { sloMs: 50 }, bulk: { sloMs: 60_000, maxRows: 8 } };

  it("gives its requests its own SLO", () => {
    const { events, submit } = queueOf(answered, { lanes });
    submit("a", 1, { lane: "quick" });
    submit("b", 1, { lane: "bulk" });
    submit("c", 1);
    submit("d", 1, { lane: "bulk", sloMs: 7 });
    const slos = events.flatMap((event) => (event.kind === "arrival" ? event.sloMs : []));
    expect(slos).toEqual([50, 60_000, 1_000, 7]);
  });

  it("lets requests with an earlier deadline overtake those that wait", () => {
    const { clock, sent, submit } = queueOf(answered, { lanes });
    submit("b", 3, { lane: "bulk" });
    submit("a", 2, { lane: "quick" });
    clock.runAll();
    expect(sent[0]?.parts.flatMap(rowsOf)).toEqual(["a0", "a1", "b0", "b1"]);
  });

  it("that is full refuses further requests, and leaves those of other lanes alone", () => {
    const { clock, ends, queue, submit } = queueOf(answered, { lanes });
    submit("a", 6, { lane: "bulk" });
    submit("b", 3, { lane: "bulk" });
    submit("c", 9);
    expect(queue.lanes["bulk"]).toEqual({ requests: 1, rows: 6, bytes: 0 });
    clock.runAll();
    const refusal = { code: "queue_full", message: 'The lane "bulk" holds 6 of 8 rows.' };
    expect(ends.get("b")).toMatchObject({ outcome: "refused", error: refusal });
    expect(ends.get("a")).toMatchObject({ outcome: "served" });
    expect(ends.get("c")).toMatchObject({ outcome: "served" });
  });

  it("refuses for good what it never has room for, as the queue does", () => {
    const { clock, ends, submit } = queueOf(answered, { lanes });
    submit("a", 9, { lane: "bulk" });
    submit("b", 1_000_000);
    clock.runAll();
    const error = { code: "request_too_large", retryable: false };
    expect(ends.get("a")).toMatchObject({ outcome: "refused", error });
    expect(ends.get("a")).toMatchObject({
      error: { message: 'the request has 9 rows; allowed in the lane "bulk": 8 or fewer' },
    });
    expect(ends.get("b")).toMatchObject({ outcome: "refused", error });
  });

  it("that the queue does not have is an error that names those it has", () => {
    const { submit } = queueOf(answered, { lanes });
    expect(() => submit("a", 1, { lane: "fast" })).toThrow('lane is "fast"; allowed: "", "quick", "bulk"');
  });
});

/** What happens to a batch: all is well, some part or all of it fails for a while or for good. */
const faults = ["none", "none", "none", "part", "part for good", "all", "throttled"] as const;

it("gives every row back to its owner, in order and once, whatever fails, is cancelled or overtakes", () => {
  const request = fc.record({
    rows: fc.integer({ min: 1, max: 30 }),
    atMs: fc.integer({ min: 0, max: 400 }),
    lane: fc.constantFrom("", "quick", "bulk"),
    isSplittable: fc.boolean(),
    cancelAtMs: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 25 }), fc.nat(), (requests, seed) => {
      const random = seededRandom(seed);
      const live = new Set<string>();
      const isOut = (batch: Batch): void => {
        for (const row of batch.parts.flatMap(rowsOf)) {
          if (live.has(row)) throw new Error(`${row} is in two batches at once`);
          live.add(row);
        }
      };
      const answer = (batch: Batch): BatchResult<string[]> => {
        for (const row of batch.parts.flatMap(rowsOf)) live.delete(row);
        const fault = faults[Math.floor(random() * faults.length)];
        if (fault === "none") return answered(batch);
        if (fault === "all") return { ok: false, error: new SpillwayError("target_unavailable") };
        if (fault === "throttled") return { ok: false, error: new SpillwayError("target_throttled") };
        const index = Math.floor(random() * batch.parts.length);
        const error = new SpillwayError(fault === "part" ? "target_unavailable" : "request_rejected");
        const answers = batch.parts.flatMap((part, at) => (at === index ? [] : [rowsOf(part)]));
        if (answers.length === 0) return { ok: false, error };
        const unanswered = new Map([[index, error]]);
        return { ok: true, answers, unanswered, serviceMs: 5, coldStartMs: 0, cost: 0 };
      };
      const clock = new VirtualClock();
      const ends = new Map<string, End<string[]>>();
      const target = (name: string, kind: Target<string, string[]>["kind"]): Target<string, string[]> => ({
        name,
        kind,
        maxInFlight: 3,
        assumedLatencyMs: 10,
        send: (batch, done) => {
          isOut(batch);
          clock.schedule(clock.nowMs() + 1 + Math.floor(random() * 40), () => done(answer(batch)));
        },
      });
      const queue = new VirtualQueue<string, string[]>({
        clock,
        policy: fixedPolicy({ batchRows: [7, 3], timeoutMs: 20 }),
        targets: [target("edge", "edge"), target("function", "serverless")],
        sloMs: 300,
        lanes: { quick: { sloMs: 60 }, bulk: { sloMs: 2_000 } },
        joinAnswers: (_, answers) => answers.flatMap((each) => each.answer),
      });
      for (const [index, { rows, atMs, lane, isSplittable, cancelAtMs }] of requests.entries()) {
        const payload = `${index}:`;
        clock.schedule(atMs, () => {
          const ticket = queue.submit({ payload, rows, lane, isSplittable }, (end) => {
            if (ends.has(payload)) throw new Error(`${payload} ended twice`);
            ends.set(payload, end);
          });
          if (cancelAtMs !== undefined && cancelAtMs >= atMs)
            clock.schedule(cancelAtMs, () => queue.cancel(ticket));
        });
      }
      clock.runAll();
      for (const [index, { rows }] of requests.entries()) {
        const end = ends.get(`${index}:`);
        expect(end).toBeDefined();
        if (end !== undefined && "answer" in end) expect(end.answer).toEqual(all(`${index}:`, rows));
      }
      expect(queue.counts).toMatchObject({ waiting: 0, inFlight: 0, submitted: requests.length });
      for (const load of Object.values(queue.lanes)) expect(load).toEqual({ requests: 0, rows: 0, bytes: 0 });
    }),
    { numRuns: 300 },
  );
});
