import { expect, it } from "vitest";
import { SpillwayError } from "../../../../base/errors.ts";
import { VirtualClock } from "../../../../replay/world/virtual-clock.ts";
import { fixedPolicy } from "../../../policies/fixed.ts";
import { VirtualQueue } from "../../../queue/virtual-queue.ts";
import type { BatchResult, OutgoingBatch } from "../../../targets/target.ts";
import { type KeptStory, RecentRequests } from "./recent-requests.ts";

/** A queue whose only edge is the test: batches of two rows, or what has waited for 20 ms. */
function watchedQueue(mostBytes?: number) {
  const clock = new VirtualClock();
  const recent = new RecentRequests("c0ffee", mostBytes);
  const sent: { batch: OutgoingBatch<number>; done: (result: BatchResult<number>) => void }[] = [];
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: fixedPolicy({ batchRows: [2], timeoutMs: 20 }),
    targets: [
      {
        name: "edge",
        kind: "edge",
        maxInFlight: 1,
        assumedLatencyMs: 5,
        send: (batch, done) => void sent.push({ batch, done }),
      },
    ],
    sloMs: 1_000,
    joinAnswers: (payload) => payload,
    explains: true,
    observe: (event) => recent.observe(event),
  });
  let answered = 0;
  const submit = (rows = 1) =>
    queue.submit({ payload: 0, key: "m", rows, isSplittable: rows > 1 }, () => {}).id;
  const answer = (): void => {
    const { batch, done } = sent[answered++] as (typeof sent)[number];
    done({ ok: true, answers: batch.parts.map(() => 1), serviceMs: 4, coldStartMs: 0, cost: 0 });
  };
  const fail = (): void =>
    (sent[answered++] as (typeof sent)[number]).done({
      ok: false,
      error: new SpillwayError("target_unavailable", "the edge broke"),
    });
  return { clock, recent, queue, submit, answer, fail };
}

function textOf(story: object): string {
  return (story as KeptStory).steps.map(({ text }) => text).join("\n");
}

it("tells of a request what the policy saw, why its batch left, and how it ended", () => {
  const { clock, recent, submit, answer } = watchedQueue();
  submit();
  clock.advanceTo(30);
  answer();
  const story = recent.story("c0ffee-0") as KeptStory;
  expect(story).toMatchObject({ id: "c0ffee-0", request: 0, model: "m", outcome: "served", tookMs: 30 });
  expect(story.parts).toEqual([{ batch: 0, target: "edge", rows: [0, 1] }]);
  expect(story.steps.map(({ kind }) => kind)).toEqual(["arrival", "batch", "result", "end"]);
  expect(story.steps[1]).toMatchObject({
    sinceMs: 20,
    saw: { requests: 1, oldestWaitedMs: 20, leftMs: 980, targets: [{ name: "edge", inFlight: 0 }] },
  });
  expect(textOf(story)).toContain("as long as the policy lets it wait for company");
  expect(textOf(story)).toContain("Served in time");
  expect(recent.story("0")).toEqual(story);
});

it("tells of a request that failed that its next batch is another try, and of one still open that it is", () => {
  const { clock, recent, submit, fail } = watchedQueue();
  submit();
  submit();
  fail();
  clock.advanceTo(500);
  const story = recent.story("c0ffee-1") as KeptStory;
  expect(story.outcome).toBe("open");
  expect(textOf(story)).toContain("Batch 0 failed after 0 ms: target_unavailable (the edge broke)");
  expect(textOf(story)).toMatch(/2 of its requests had failed before \(the edge broke\)\.$/);
});

it("shows the parts of a request that was split", () => {
  const { recent, submit, answer } = watchedQueue();
  submit(5);
  answer();
  answer();
  const story = recent.story("c0ffee-0") as KeptStory;
  expect(story.parts).toEqual([
    { batch: 0, target: "edge", rows: [0, 2] },
    { batch: 1, target: "edge", rows: [2, 4] },
  ]);
  expect(textOf(story)).toContain("Of its 5 rows 2 to 3 left in batch 1 to edge");
});

it("keeps what its bytes allow, the latest, and says which that are", () => {
  const { recent, submit, answer } = watchedQueue(40_000);
  for (let pair = 0; pair < 500; pair++) {
    submit();
    submit();
    answer();
  }
  expect(recent.story("c0ffee-999")).toMatchObject({ outcome: "served" });
  const gone = recent.story("c0ffee-3") as { why: string };
  expect(gone.why).toMatch(/^no request c0ffee-3 is kept; the oldest is c0ffee-9\d\d$/);
  expect(recent.list().length).toBeLessThan(101);
  expect(recent.list()[0]).toMatchObject({ outcome: "served", tookMs: 0 });
});

it("lists the requests that were lost, and tells why each was", () => {
  const { clock, recent, queue, submit } = watchedQueue();
  for (let nth = 0; nth < 3; nth++) submit();
  clock.advanceTo(1_000);
  queue.close();
  const [lost, ...others] = recent.list("lost");
  expect(lost).toMatchObject({ id: "c0ffee-2", outcome: "refused" });
  expect(others).toEqual([]);
  expect(textOf(recent.story("c0ffee-2"))).toMatch(
    /It ended as refused \(deadline_passed\), 1000 ms after it arrived\. The request was still waiting/,
  );
});

it("refuses ids that are none, of another run, or not there yet", () => {
  const { recent } = watchedQueue();
  expect(recent.story("../etc")).toEqual({ why: "no id of a request: ../etc; allowed: such as c0ffee-17" });
  expect(recent.story("abcdef-1")).toEqual({ why: "abcdef-1 is of another run; this one is c0ffee" });
  expect(recent.story("5")).toEqual({ why: "no request c0ffee-5 is kept: there was none yet" });
});

it("has an id for what never came to the queue", () => {
  const { recent } = watchedQueue();
  const id = recent.turnedAway(new Error("no such model"));
  expect(recent.story(id)).toMatchObject({ kind: "turned-away", message: "no such model" });
});
