/** The loops that send, with a server that is scripted here. */
import { expect, it } from "vitest";
import { closedLoop, openLoop } from "./generate.ts";

const never = new AbortController().signal;

it("an open loop sends what is due while earlier requests are still unanswered", async () => {
  const answers: (() => void)[] = [];
  const due = Array.from({ length: 5 }, (_, index) => ({ atS: index / 1_000, rows: 1 }));
  const late: number[] = [];
  await openLoop(
    [due],
    (_, dueAtMs) => {
      late.push(performance.now() - dueAtMs);
      const answered = new Promise<void>((resolve) => answers.push(resolve));
      // Only the last of them lets all others be answered.
      if (answers.length === due.length) for (const answer of answers) answer();
      return answered;
    },
    never,
  );
  expect(late).toHaveLength(5);
});

it("an open loop that is stopped sends nothing more and waits for what it sent", async () => {
  const stop = new AbortController();
  let ended = 0;
  await openLoop(
    [[0, 0, 3_600].map((atS) => ({ atS, rows: 1 }))],
    async () => {
      await Promise.resolve();
      if (++ended === 2) stop.abort();
    },
    stop.signal,
  );
  expect(ended).toBe(2);
});

it("an open loop lets answers in while it is behind its schedule", async () => {
  let underWay = 0;
  let most = 0;
  const due = Array.from({ length: 1_000 }, () => ({ atS: 0, rows: 1 }));
  await openLoop(
    [due],
    async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
    },
    never,
  );
  expect(most).toBeLessThan(100);
});

it("a closed loop has as many requests under way as it has callers, and sends as many as it may", async () => {
  let underWay = 0;
  let most = 0;
  let sent = 0;
  const ask = async (): Promise<void> => {
    sent++;
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
  };
  await closedLoop({ concurrency: 3, requests: 100, durationMs: Infinity }, ask, never);
  expect([sent, most]).toEqual([100, 3]);
});
