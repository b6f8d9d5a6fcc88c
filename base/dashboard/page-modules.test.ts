/** What the pages' own modules compute, without a browser. */
import { expect, it } from "vitest";
import { SeriesBuffer, trailingMean } from "./browser/series.ts";
import { bytes, duration, figureText, money, percentText, signed, withMoments } from "./browser/text.ts";

const columns = [{ of: "arrivals", name: "" }];
const sent = (fromS: number, ...values: (number | null)[]) => {
  return { stepMs: 1_000, fromUnixMs: fromS * 1_000, columns, rows: values.map((value) => [value]) };
};

it("keeps as many bins as it was made for, the newest last", () => {
  const series = new SeriesBuffer(4);
  series.reset(sent(10, 1, 2));
  expect(series.column("arrivals", "")).toEqual([null, null, 1, 2]);
  series.append(sent(12, 3, 4, 5));
  expect(series.column("arrivals", "")).toEqual([2, 3, 4, 5]);
  expect(series.xs).toEqual([11, 12, 13, 14]);
});

it("replaces bins that come again, and leaves those empty that never came", () => {
  const series = new SeriesBuffer(5);
  series.reset(sent(10, 1, 2));
  series.append(sent(11, 7, 8));
  series.append(sent(14, 9));
  expect(series.column("arrivals", "")).toEqual([1, 7, 8, null, 9]);
});

it("takes a clock that is off by a moment for the same bin, and starts anew after a long gap", () => {
  const series = new SeriesBuffer(3);
  series.reset(sent(10, 1, 2));
  series.append({ ...sent(12, 3), fromUnixMs: 12_003 });
  expect(series.column("arrivals", "")).toEqual([1, 2, 3]);
  series.append(sent(100_000, 5));
  expect(series.column("arrivals", "")).toEqual([null, null, 5]);
});

it("uses the same arrays however many messages come, and drops names that are gone", () => {
  const series = new SeriesBuffer(3);
  series.reset(sent(0, 1));
  const { xs } = series;
  const first = series.column("arrivals", "");
  for (let at = 1; at < 100; at++)
    series.append({
      ...sent(at),
      columns: [...columns, { of: "answered", name: `edge ${at}` }],
      rows: [[at, at]],
    });
  expect(series.xs).toBe(xs);
  expect(series.column("arrivals", "")).toBe(first);
  expect(series.names("answered").length).toBeLessThanOrEqual(21);
});

it("averages over the last bins, as a rate", () => {
  const into: (number | null)[] = [];
  trailingMean([1, 3, null, 5], 2, 10, into);
  expect(into).toEqual([10, 20, 30, 50]);
});

it("writes figures as people read them", () => {
  expect([0, 1.2345, 1_234.5, 0.00001, null].map(figureText)).toEqual(["0", "1.23", "1,235", "1.0e-5", "–"]);
  expect([0.001, 12.34, 1_500, 180_000, 1e9].map(duration)).toEqual([
    "<0.01 ms",
    "12.3 ms",
    "1.5 s",
    "3 min",
    "11.6 d",
  ]);
  expect([0, 0.0001, 0.5, 0.995, 0.99999, 1].map(percentText)).toEqual([
    "0 %",
    "0.1 %",
    "50 %",
    "99.5 %",
    "99.9 %",
    "100 %",
  ]);
  expect([0, 0.00001, 0.0123, 1.5, 1_234].map((amount) => money(amount, "CNY"))).toEqual([
    "0 CNY",
    "<0.0001 CNY",
    "0.0123 CNY",
    "1.50 CNY",
    "1,234 CNY",
  ]);
  expect([500, 2_048, 3 * 2 ** 30].map(bytes)).toEqual(["500 B", "2 KiB", "3 GiB"]);
  expect([signed("3 ms", 3), signed("-3 ms", -3)]).toEqual(["+3 ms", "−3 ms"]);
  expect(withMoments("since {time:1000} on", 1_000)).toMatch(/^since \d\d:\d\d:\d\d on$/);
});
