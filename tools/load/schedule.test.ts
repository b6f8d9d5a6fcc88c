import { expect, it } from "vitest";
import type { Due } from "./generate.ts";
import { constantSchedule, poissonSchedule, traceSchedule } from "./schedule.ts";

const open = { seconds: Infinity, requests: Infinity };

it("a constant schedule has equal gaps and ends before its last second or after its last request", () => {
  const moments = [...constantSchedule(10, { ...open, seconds: 0.5 })].flat().map(({ atS }) => atS);
  expect(moments).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
  expect([...constantSchedule(1, { ...open, requests: 3_000 })].flat()).toHaveLength(3_000);
});

it(
  "a Poisson schedule has the rate, gaps as variable as their mean, and is the same for the same seed",
  { tags: ["slow"] },
  () => {
    const moments = (): number[] =>
      [...poissonSchedule(100, 7, { ...open, requests: 20_000 })].flat().map(({ atS }) => atS);
    const gaps = moments().map((atS, index, all) => atS - (all[index - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(gaps).toHaveLength(20_000);
    expect(mean).toBeCloseTo(0.01, 3);
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
    expect(moments()).toEqual(moments());
  },
);

it("a trace's schedule has its moments and rows, in any of its forms", async () => {
  const file = (text: string) => ({
    name: "t",
    async *open() {
      yield new TextEncoder().encode(text);
    },
  });
  const read = async (text: string, end = open): Promise<Due[]> => {
    const due: Due[] = [];
    for await (const block of traceSchedule(file(text), 1, end)) due.push(...block);
    return due;
  };
  expect(await read("t,rows\n0.5,1\n2,3\n")).toMatchObject([
    { atS: 0.5, rows: 1 },
    { atS: 2, rows: 3 },
  ]);
  expect(await read("t\n0\n1\n2\n", { seconds: 2, requests: Infinity })).toHaveLength(2);
  expect(await read("t\n0\n1\n2\n", { seconds: Infinity, requests: 1 })).toHaveLength(1);
  expect(await read("second,count\n0,4\n1,2\n")).toHaveLength(6);
  await expect(read("t\nsoon\n")).rejects.toThrow('t:2:1: t is "soon"');
});
