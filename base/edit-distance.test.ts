import { expect, it } from "vitest";
import { didYouMean, editDistance, nearestName } from "./edit-distance.ts";

it.each([
  ["", "", 0],
  ["", "abc", 3],
  ["slomS", "sloMs", 2],
  ["factr", "factor", 1],
  ["kitten", "sitting", 3],
])("%j is, to %j, %i edits away", (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits);
  expect(editDistance(b, a)).toBe(edits);
});

it("finds the nearest name, the first of equal ones, and none among none", () => {
  expect(nearestName("prot", ["host", "part", "port"])).toEqual({ name: "part", edits: 2 });
  expect(nearestName("prt", ["host", "port", "part"])).toEqual({ name: "port", edits: 1 });
  expect(nearestName("port", [])).toBeUndefined();
  expect([didYouMean("prot", ["port"]), didYouMean("prot", [])]).toEqual(['; did you mean "port"?', ""]);
});
