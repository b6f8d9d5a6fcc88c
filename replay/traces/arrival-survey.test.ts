import { expect, it } from "vitest";
import { surveyArrivals } from "./arrival-survey.ts";
import type { TextFile } from "../../base/text-lines.ts";

function trace(text: string): TextFile {
  return {
    name: "made.csv",
    async *open() {
      yield new TextEncoder().encode(text);
    },
  };
}
const whole = { seed: 1, fromS: 0, toS: Infinity, scale: 1 };

it("holds the moment of each row, and counts requests", async () => {
  const survey = await surveyArrivals(trace("t,rows\n0.5,1\n1,3\n2,1\n"), whole);
  expect(survey).toEqual({
    requests: 3,
    lastAtMs: 2_000,
    momentsMs: Float64Array.of(500, 1_000, 1_000, 1_000, 2_000),
  });
});

it("sees the arrivals that a replay with the same options sees", async () => {
  const survey = await surveyArrivals(trace("t\n0\n1\n2\n3\n"), { ...whole, fromS: 1, toS: 3 });
  expect(survey).toEqual({ requests: 2, lastAtMs: 1_000, momentsMs: Float64Array.of(0, 1_000) });
  const binned = await surveyArrivals(trace("second,count\n0,3000\n10,1000\n"), whole);
  expect(binned.momentsMs).toHaveLength(4_000);
  expect(binned.momentsMs).toEqual(binned.momentsMs?.slice().sort());
});

it("holds nothing when there is more than it may hold, and counts on", async () => {
  const options = { ...whole, mostHeld: 3 };
  expect(await surveyArrivals(trace("t\n0\n1\n2\n"), options)).toMatchObject({ requests: 3 });
  expect(await surveyArrivals(trace("t\n0\n1\n2\n3\n"), options)).toEqual({
    requests: 4,
    lastAtMs: 3_000,
    momentsMs: undefined,
  });
});

it("tells how far it is", async () => {
  const told: number[][] = [];
  await surveyArrivals(trace("t\n0\n1\n"), { ...whole, onProgress: (...stand) => told.push(stand) });
  expect(told).toEqual([[2, 1_000]]);
});
