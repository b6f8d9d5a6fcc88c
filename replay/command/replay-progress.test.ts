import { expect, it } from "vitest";
import { createReplayProgress, progressText } from "./replay-progress.ts";

const stand = { name: "spillway", requests: 30_000, atMs: 90_000, elapsedMs: 2_000 };

it("draws a bar with percentage, speed and the time that is left", () => {
  expect(progressText({ ...stand, part: 0.25 })).toBe(
    "spillway         ██████░░░░░░░░░░░░░░░░░░  25 %  15,000 requests/s, 6 s left",
  );
  expect(progressText({ ...stand, part: 1 })).toContain("100 %  15,000 requests/s, 0 s left");
});

it("draws no more than a whole bar, and leaves the time out while nothing is done", () => {
  expect(progressText({ ...stand, part: 1.5 })).toContain(`${"█".repeat(24)} 100 %`);
  expect(progressText({ ...stand, part: 0 })).toMatch(/ 0 % {2}15,000 requests\/s$/);
});

it("tells the moment of the trace where its end is not known", () => {
  expect(progressText({ ...stand, part: undefined })).toBe(
    "spillway         30,000 requests, 90 s of the trace, 15,000 requests/s",
  );
});

function terminal(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, columns: 40, write: (text: string) => written.push(text) };
  return { written, stream: stream as unknown as NodeJS.WriteStream };
}

it("is written over on a terminal, never wider than it, and cleared in the end", () => {
  const { written, stream } = terminal(true);
  const progress = createReplayProgress(stream);
  progress.begin("fixed", { requests: 10 });
  progress.reached(5, 1_000);
  progress.end();
  expect(written).toHaveLength(2);
  expect(written[0]).toContain("\r\u001b[Kfixed ");
  expect(written[0]?.length).toBeLessThanOrEqual(4 + 39);
  expect(written[1]).toBe("\r\u001b[K");
});

it("writes nothing where there is no terminal", () => {
  const { written, stream } = terminal(false);
  const progress = createReplayProgress(stream);
  progress.begin("fixed", {});
  progress.reached(5, 1_000);
  progress.end();
  expect(written).toEqual([]);
});
