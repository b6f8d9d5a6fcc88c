import { expect, it } from "vitest";
import { DropLog } from "./drop-log.ts";

const waiting = { rows: 90, bytes: 1_440, waitMs: 1_500 };

it("counts by why, and tells the log at most every ten seconds what came since then", () => {
  const lines: object[] = [];
  const drops = new DropLog("m", { warn: (facts: object) => void lines.push(facts) });
  for (let atMs = 0; atMs <= 20_000; atMs += 100) drops.dropped("too-late", waiting, atMs);
  drops.dropped("given-up", waiting, 20_001);
  expect(drops.counts).toEqual({ full: 0, "long-queue": 0, "too-late": 201, "given-up": 1 });
  const none = { full: 0, "long-queue": 0, "given-up": 0 };
  expect(lines).toEqual([
    { model: "m", dropped: { ...none, "too-late": 1 }, queueRows: 90 },
    { model: "m", dropped: { ...none, "too-late": 100 }, queueRows: 90 },
    { model: "m", dropped: { ...none, "too-late": 100 }, queueRows: 90 },
  ]);
});

it("makes errors that say when to come back and that the server is only busy", () => {
  const drops = new DropLog("m", { warn: () => {} });
  for (const reason of ["full", "long-queue", "too-late", "given-up"] as const) {
    const error = drops.dropped(reason, waiting, 0);
    expect(error).toMatchObject({ status: 503, reason: "overloaded", retryAfterS: 1.5 });
    expect(error.message).toMatch(/\bm\b/);
  }
});
