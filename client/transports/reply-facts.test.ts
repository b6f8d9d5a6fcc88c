import { expect, it } from "vitest";
import {
  billedOf,
  coldStartOf,
  durationOf,
  mayHaveStarted,
  retryAfterOf,
  SeenInstances,
} from "./reply-facts.ts";

const log = (text: string): { "x-fc-log-result": string } => {
  return { "x-fc-log-result": Buffer.from(text).toString("base64") };
};

it("takes the billed time from the log's tail, else the duration from the header, else from the log", () => {
  const tail = "Duration: 3.87 ms, Billed Duration: 4 ms, Memory Size: 128 MB";
  expect(billedOf({ ...log(tail), "x-fc-invocation-duration": "5" })).toBe(4);
  expect(durationOf({ ...log(tail), "x-fc-invocation-duration": "5" })).toBe(5);
  expect(durationOf(log(tail))).toBe(3.87);
  expect(billedOf(log("Duration: 3.87 ms"))).toBe(3.87);
  expect(billedOf({})).toBeUndefined();
});

it("does not believe what a function printed before the platform's line, nor what is no time", () => {
  const tail = "Billed Duration: 1 ms\nDuration: 0.1 ms\nDuration: 3 ms, Billed Duration: 8 ms\n";
  expect([billedOf(log(tail)), durationOf(log(tail))]).toEqual([8, 3]);
  for (const text of ["", "soon", "-1", "Infinity"]) {
    expect(durationOf({ "x-fc-invocation-duration": text })).toBeUndefined();
  }
});

it("believes the host's word on cold starts, else takes an instance that was never seen for cold", () => {
  const seen = new SeenInstances();
  const cold = (headers: Record<string, string>): number | undefined => coldStartOf(headers, seen);
  expect(cold({ "x-fc-instance-id": "a", "x-spillway-cold-start-ms": "12.5" })).toBe(12.5);
  expect(cold({ "x-fc-instance-id": "a" })).toBe(0);
  expect(cold({ "x-fc-instance-id": "b" })).toBeUndefined();
  expect(cold({ "x-fc-instance-id": "c", "x-spillway-cold-start-ms": "0" })).toBe(0);
  expect(cold({})).toBe(0);
});

it("takes an instance for warm only when something is said of instances", () => {
  const id = { "x-fc-instance-id": "a" };
  expect([mayHaveStarted({}, 0), mayHaveStarted(id, undefined), mayHaveStarted(id, 0)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(mayHaveStarted({ "x-spillway-cold-start-ms": "0" }, 0)).toBe(false);
});

it("forgets the instance that was not seen for longest beyond 4,096", () => {
  const seen = new SeenInstances();
  for (let id = 0; id < 4_096; id++) expect(seen.isNew(String(id))).toBe(true);
  expect(seen.isNew("0")).toBe(false);
  expect(seen.isNew("one more")).toBe(true);
  expect(seen.isNew("0")).toBe(false);
  expect(seen.isNew("1")).toBe(true);
});

it("reads when to come back as seconds or as a date, and believes no more than a minute", () => {
  const nowMs = Date.parse("2026-11-30T12:00:00Z");
  const after = (text: string): number | undefined => retryAfterOf({ "retry-after": text }, nowMs);
  expect(["2", "0.5", "Mon, 30 Nov 2026 12:00:05 GMT"].map(after)).toEqual([2_000, 500, 5_000]);
  expect(["86400", "Mon, 30 Nov 2026 11:00:00 GMT", "soon"].map(after)).toEqual([60_000, 0, undefined]);
  expect(retryAfterOf({}, nowMs)).toBeUndefined();
});
