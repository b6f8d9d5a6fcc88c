import { expect, it } from "vitest";
import { formatMoment } from "../command/moment-text.ts";
import { formatCheck, formatStory } from "../command/record-text.ts";
import { fixed, recordOf, spillway } from "../../test/support/recorded-queue.ts";
import { checkRecord, lostRequests } from "./check-record.ts";
import { StoryCollector } from "./explain.ts";
import { parseRecord, type RecordedRun } from "./recorded-run.ts";

function runOf(text: string): RecordedRun {
  return parseRecord(text, "r.ndjson");
}

it("finds that the queue decides as recorded, and sums the record up", () => {
  const check = checkRecord(runOf(recordOf(fixed, [0, 5, 30, 60])), []);
  expect(check.difference).toBeUndefined();
  expect(check.summary).toMatchObject({
    policy: "fixed",
    startAtMs: 7_000,
    requests: { arrived: 4, served: 4, open: 0 },
    targets: {
      edge: { answered: 3, batches: 2, reasons: { full: 1, drain: 1 } },
      small: { reasons: { timeout: 1 } },
    },
  });
  const text = formatCheck("r.ndjson", check);
  expect(text).toContain("requests: 4 arrived, 4 served\n");
  expect(text).toContain("edge: 3 requests, 2 batches of 1.5 rows (1 full, 1 drain)\n");
  expect(text).toMatch(/identical: 7 decisions\n$/);
});

it("names the first decision that differs, its line, and what differs in it", () => {
  const run = runOf(recordOf(fixed, [0, 5, 30, 60]));
  const other = { ...run.header, policy: { ...fixed, timeoutMs: 25 } };
  const check = checkRecord({ ...run, header: other }, []);
  expect(check.difference).toMatchObject({ recorded: { kind: "batch", id: 1 }, now: null });
  const text = formatCheck("r.ndjson", check);
  expect(text).toMatch(/different: decision 4 of 7, r\.ndjson:\d+, at 0\.050 s\n/);
  expect(text).toContain("recorded: batch 1 to small, 1 rows (2 planned, timeout), requests 2\n");
  const line = check.difference?.line as number;
  expect(recordOf(fixed, [0, 5, 30, 60]).split("\n")[line - 1]).toContain('"kind":"batch","id":1');
});

it("takes a record that ends in the middle for the same as far as it goes", () => {
  const lines = recordOf(fixed, [0, 5, 30, 60]).trimEnd().split("\n");
  for (let count = 1; count <= lines.length; count++)
    expect(checkRecord(runOf(lines.slice(0, count).join("\n")), []).difference).toBeUndefined();
});

it("tells of one request what was seen, decided and done, until its end", () => {
  const run = runOf(recordOf(fixed, [0, 5, 6, 7, 300], [0]));
  const { stories, summary, difference } = checkRecord(run, [1]);
  expect(difference).toBeUndefined();
  const [story] = stories;
  const kinds = story?.steps.map(({ kind }) => kind);
  expect(kinds?.slice(0, 4)).toEqual(["asked", "batch", "result", "asked"]);
  expect(kinds?.at(-1)).toBe("end");
  expect(story?.steps[0]).toMatchObject({
    after: { kind: "arrival", id: 1 },
    line: { requests: 2, rows: 2, ahead: 1, oldestWaitedMs: 5 },
    decision: { kind: "send", requests: 2, target: "edge", isIn: true },
  });
  const text = formatStory(story as NonNullable<typeof story>, summary.startAtMs);
  expect(text).toContain("request 1: 1 row, 30 bytes, model m\n");
  expect(text).toContain("0.005 s  It arrived. It has to be answered by 0.105 s, within 100 ms.");
  expect(text).toContain("It left in batch 0 to edge, with request 0: 2 rows of 2 planned");
  expect(text).toContain("Batch 0 failed after 10 ms: target_unavailable");
  expect(text).toContain("It waits again. After batch 0 had come back, the policy was asked.");
  expect(text).toMatch(/edge: 0 of 1 batches under way, paused until 0\.1\d\d s/);
  expect(text).toMatch(/Served in time, \d+ ms after it arrived and \d+ ms before its deadline\.\n$/);
});

it("tells which plan was in force, and who was lost and why", () => {
  const run = runOf(
    recordOf(
      spillway,
      Array.from({ length: 40 }, (_, index) => index / 2),
    ),
  );
  const lost = lostRequests(run);
  expect(lost.length).toBeGreaterThan(0);
  const { stories, summary } = checkRecord(run, [0, lost[0] as number]);
  const [first, refused] = stories.map((story) => formatStory(story, summary.startAtMs));
  expect(first).toMatch(/A new plan \(start\): .*edge/);
  expect(refused).toContain("The plan in force, of 0.000 s: ");
  expect(refused).toMatch(/It ended as refused \(queue_full\), \d.* ms after it arrived\./);
});

it("does not break at a kind of event that it does not know", () => {
  const lines = recordOf(fixed, [0, 5]).split("\n");
  const collector = new StoryCollector([1]);
  for (const line of lines.slice(1, -1)) {
    const event = JSON.parse(line);
    if (event.kind === "batch") collector.onEvent({ kind: "admit", key: event.key, atMs: 7_005 } as never);
    collector.onEvent(event);
    collector.onEvent({ kind: "edges", atMs: event.atMs, names: ["edge"] } as never);
  }
  const [story] = collector.stories;
  expect(story?.steps.map(({ kind }) => kind as string)).toContain("admit");
  const text = formatStory(story as NonNullable<typeof story>, 7_000);
  expect(text).toContain('0.005 s  edges: {"kind":"edges","atMs":7005,"names":["edge"]}');
});

it("tells of a moment which plan was in force, what each line saw before it, and what was decided then", () => {
  const run = runOf(recordOf(spillway, [0, 5, 30, 31, 32, 60, 300]));
  const { moment, summary } = checkRecord(run, [], 7_031);
  expect(moment?.before).toMatchObject([
    { model: "m", saw: { targets: [{ name: "edge" }, { name: "small" }] } },
  ]);
  for (const { atMs } of moment?.after ?? []) expect(atMs).toBeGreaterThanOrEqual(7_031);
  expect(moment?.after.length).toBeGreaterThan(0);
  const text = formatMoment(moment as NonNullable<typeof moment>, summary.startAtMs);
  expect(text).toMatch(/^at 0\.031 s:\n {2}the plan in force, of 0\.000 s: /);
  expect(text).toMatch(
    /0\.031 s {2}\d requests? \(\d rows?\) of m waited, the oldest for \d+ ms, the first due in \d+/,
  );
  expect(text).toMatch(/Decided to (wait|send)/);
});

it("tells why a policy waits, where it says so", () => {
  const { stories, summary } = checkRecord(runOf(recordOf(fixed, [0, 50])), [0]);
  const text = formatStory(stories[0] as NonNullable<(typeof stories)[0]>, summary.startAtMs);
  expect(text).toContain("It waits for more requests, until the batch must leave.");
});

it("leaves the reasons out of a record, because its replay makes them again", () => {
  expect(recordOf(spillway, [0, 5, 30, 60])).not.toMatch(/"(why|saw|retries)":/);
});
