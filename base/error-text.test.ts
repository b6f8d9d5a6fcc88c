import { expect, it } from "vitest";
import { didYouMean, editDistance, nearestName, showValue, withoutUserInfo } from "./error-text.ts";

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
  expect([didYouMean("prt", ["port"]), didYouMean("prt", [])]).toEqual(['; did you mean "port"?', ""]);
});

it.each([
  ["a", '"a"'],
  [-0, "-0"],
  [1.5, "1.5"],
  [true, "true"],
  [undefined, "missing"],
  [null, "null"],
  [[1, 2], "an array of 2"],
  [{}, "an object"],
])("shows %j as %s", (value, shown) => {
  expect(showValue(value)).toBe(shown);
});

it("cuts a long string", () => {
  expect(showValue("x".repeat(1e6))).toBe(`"${"x".repeat(60)}"... (1000000 characters)`);
});

it.each([
  ["nats://ann:secret@10.0.0.5", "nats://...@10.0.0.5"],
  ["http://ann:se@cr@et@", "http://...@"],
  ['["near=http://ann:secret@h:1","far=http://h:2"]', '["near=http://...@h:1","far=http://h:2"]'],
  ["http://h/path?to=ann@h", "http://...@h"],
  ["mail ann@h", "mail ann@h"],
])("shows nothing that may be a password in %s", (given, shown) => {
  expect(withoutUserInfo(given)).toBe(shown);
  expect(showValue(given)).not.toContain("secret");
});
