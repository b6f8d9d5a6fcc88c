import { expect, it } from "vitest";
import { figure, percent } from "./figures.ts";

it("writes four digits that count, shares with two decimals, and a dash for nothing", () => {
  expect([figure(1234.56), figure(0.000123456), figure(3), figure(null)]).toEqual([
    "1235",
    "0.0001235",
    "3",
    "-",
  ]);
  expect([percent(0.98765), percent(0), percent(null)]).toEqual(["98.77 %", "0.00 %", "-"]);
});
