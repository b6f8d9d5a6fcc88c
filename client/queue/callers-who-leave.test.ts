/**
 * What users of other batchers met when callers left or a batch failed: a batch loop that died of it, batch-mates without an
 * answer, and queues full of requests that nobody waited for. With lanes, and with requests that are split.
 */
import { expect, it } from "vitest";
import { SpillwayError } from "../../base/errors.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { fixedPolicy } from "../policies/fixed.ts";
import type { BatchPart, BatchResult, OutgoingBatch } from "../targets/target.ts";
import type { End, Submission } from "./request.ts";
import { VirtualQueue } from "./virtual-queue.ts";

type Batch = OutgoingBatch<string>;

const rowsOf = ({ payload, fromRow, toRow }: BatchPart<string>): string[] =>
  Array.from({ length: toRow - fromRow }, (_, index) => `${payload}${fromRow + index}`);

const answered = ({ parts }: Batch): BatchResult<string[]> => {
  return { ok: true, answers: parts.map(rowsOf), serviceMs: 5, coldStartMs: 0, cost: 0 };
};

const lanes = { quick: { sloMs: 50 }, bulk: { sloMs: 60_000, maxRows: 8 } };

/** One edge that takes one batch of four rows at a time, each for 10 ms. */
function queueOf(answer: (batch: Batch) => BatchResult<string[]> = answered) {
  const clock = new VirtualClock();
  const sent: string[][] = [];
  const ends = new Map<string, End<string[]> & { readonly atMs: number }>();
  const queue = new VirtualQueue<string, string[]>({
    clock,
    policy: fixedPolicy({ batchRows: [4], timeoutMs: 1 }),
    targets: [
      {
        name: "edge",
        kind: "edge",
        maxInFlight: 1,
        assumedLatencyMs: 10,
        send: (batch, done) => {
          sent.push(batch.parts.flatMap(rowsOf));
          clock.schedule(clock.nowMs() + 10, () => done(answer(batch)));
        },
      },
    ],
    sloMs: 1_000,
    lanes,
    joinAnswers: (_, answers) => answers.flatMap((each) => each.answer),
  });
  const submit = (payload: string, rows: number, more: Partial<Submission<string>> = {}) =>
    queue.submit({ payload, rows, isSplittable: true, ...more }, (end) => {
      if (ends.has(payload)) throw new Error(`${payload} ended twice`);
      ends.set(payload, { ...end, atMs: clock.nowMs() });
    });
  return { clock, queue, sent, ends, submit };
}

it("answers those who share a batch with a caller who has left while it was under way", () => {
  const { clock, ends, queue, sent, submit } = queueOf();
  const gone = submit("a", 2, { lane: "bulk" });
  submit("b", 2, { lane: "bulk" });
  expect(sent).toEqual([["a0", "a1", "b0", "b1"]]);
  queue.cancel(gone);
  clock.runAll();
  expect(ends.get("a")).toMatchObject({ outcome: "cancelled" });
  expect(ends.get("b")).toMatchObject({ outcome: "served", answer: ["b0", "b1"] });
  submit("c", 4);
  clock.runAll();
  expect(ends.get("c")).toMatchObject({ outcome: "served" });
});

it("sends no more rows of a caller who has left, whose room in the lane is free for others", () => {
  const { clock, ends, queue, sent, submit } = queueOf();
  const gone = submit("a", 8, { lane: "bulk" });
  submit("b", 1, { lane: "bulk" });
  clock.advanceTo(5);
  expect(ends.get("b")).toMatchObject({ outcome: "refused", error: { code: "queue_full" } });
  queue.cancel(gone);
  submit("c", 4, { lane: "bulk" });
  clock.runAll();
  expect(ends.get("c")).toMatchObject({ outcome: "served", answer: ["c0", "c1", "c2", "c3"] });
  expect(sent.flat().filter((row) => row.startsWith("a"))).toEqual(["a0", "a1", "a2", "a3"]);
  expect(queue.lanes["bulk"]).toEqual({ requests: 0, rows: 0, bytes: 0 });
});

it("works for nobody who tried again and again, and serves the last try next", () => {
  const { clock, ends, queue, sent, submit } = queueOf();
  submit("busy", 4);
  for (let nth = 0; nth < 200; nth++) {
    queue.cancel(submit(`try${nth}-`, 4, { lane: "bulk" }));
    clock.advanceTo(clock.nowMs() + 0.01);
  }
  submit("last", 4, { lane: "bulk" });
  clock.runAll();
  expect(sent.length).toBe(2);
  expect(ends.get("last")).toMatchObject({ outcome: "served", atMs: 20 });
  expect(queue.counts).toMatchObject({ waiting: 0, inFlight: 0, cancelled: 200 });
});

it("refuses what waits at its deadline and not when a place is free", () => {
  const { clock, ends, submit } = queueOf();
  submit("busy", 4);
  submit("more", 4);
  submit("hurried", 2, { lane: "quick", sloMs: 3 });
  clock.advanceTo(3);
  expect(ends.get("hurried")).toMatchObject({ outcome: "refused", atMs: 3 });
  clock.runAll();
  expect(ends.get("more")).toMatchObject({ outcome: "served" });
});

it("goes on after a batch failed for a row that cannot be served, and fails that request alone", () => {
  const spoilt = new SpillwayError("request_rejected", "row b0 is spoilt");
  const { clock, ends, submit } = queueOf(({ parts }) => {
    const unanswered = new Map(
      parts.flatMap(({ payload }, index) => (payload === "b" ? [[index, spoilt] as const] : [])),
    );
    const answers = parts.filter(({ payload }) => payload !== "b").map(rowsOf);
    return { ok: true, answers, unanswered, serviceMs: 5, coldStartMs: 0, cost: 0 };
  });
  submit("a", 6);
  submit("b", 1, { lane: "bulk" });
  submit("c", 3, { lane: "bulk" });
  clock.runAll();
  expect(ends.get("b")).toMatchObject({ outcome: "failed", error: { code: "request_rejected" } });
  expect(ends.get("a")).toMatchObject({ outcome: "served", answer: ["a0", "a1", "a2", "a3", "a4", "a5"] });
  expect(ends.get("c")).toMatchObject({ outcome: "served", answer: ["c0", "c1", "c2"] });
});
