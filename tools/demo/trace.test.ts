import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { fitTrace, parseTrace } from "./trace.ts";

it("reads one moment a line and ignores other columns", () => {
  expect(parseTrace("t,rows\n0.5,1\n0.5,2\n2,1\n", "a.csv")).toEqual([0.5, 0.5, 2]);
});

it("names file, line and column of a malformed line", () => {
  expect(() => parseTrace("t\n1\nx\n", "a.csv")).toThrow('a.csv:3:1: t is "x"');
  expect(() => parseTrace("t\n2\n1\n", "a.csv")).toThrow("a.csv:3:1");
  expect(() => parseTrace("t\n1\n\n2\n", "a.csv")).toThrow("a.csv:3:1");
  expect(() => parseTrace("second,count\n", "a.csv")).toThrow('a.csv:1:1: the header is "second,count"');
});

it("keeps every rate when it makes a trace shorter, and raises it when asked", () => {
  const minute = Array.from({ length: 6_000 }, (_, index) => index / 100);
  const half = fitTrace(minute, { stretch: 0.5, rateFactor: 1 }, seededRandom(1));
  expect(half.at(-1)).toBeLessThanOrEqual(30);
  expect(half.length / 30).toBeGreaterThan(95);
  expect(half.length / 30).toBeLessThan(105);
  const triple = fitTrace(minute, { stretch: 1, rateFactor: 3 }, seededRandom(1));
  expect(triple).toHaveLength(18_000);
  expect(triple).toEqual([...triple].sort((a, b) => a - b));
});

it("gives the recorded moments back unchanged for factors of 1, and the same draw for the same seed", () => {
  const moments = [0, 1, 1.5, 4];
  expect(fitTrace(moments, { stretch: 1, rateFactor: 1 }, seededRandom(7))).toEqual(moments);
  const draw = (): number[] => fitTrace(moments, { stretch: 2, rateFactor: 1.3 }, seededRandom(7));
  expect(draw()).toEqual(draw());
});
