import fc from "fast-check";
import { expect, it } from "vitest";
import { parseIsoTime } from "./iso-time.ts";

it("agrees with the calendar of the platform", () => {
  const years = { min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z") };
  fc.assert(
    fc.property(fc.date({ ...years, noInvalidDate: true }), (date) => {
      const text = date.toISOString();
      const { wholeS, fractionS } = parseIsoTime(text) as { wholeS: number; fractionS: number };
      expect(wholeS * 1_000 + Math.round(fractionS * 1_000)).toBe(date.getTime());
    }),
  );
});

it("keeps all decimals, takes a space for the T, and turns a zone into UTC", () => {
  expect(parseIsoTime("2023-11-16 18:17:03.9799600")).toEqual({ wholeS: 1_700_158_623, fractionS: 0.97996 });
  expect(parseIsoTime("1970-01-01T02:00:00+02:00")).toEqual({ wholeS: 0, fractionS: 0 });
  expect(parseIsoTime("1969-12-31T22:30:00-0130")).toEqual({ wholeS: 0, fractionS: 0 });
});

it("finds days and hours that do not exist", () => {
  for (const text of [
    "2023-02-29 00:00:00",
    "2023-13-01 00:00:00",
    "2023-01-01 24:00:00",
    "2023-01-01",
    "x",
  ]) {
    expect(parseIsoTime(text)).toBeUndefined();
  }
});
