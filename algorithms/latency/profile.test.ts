import { expect, it } from "vitest";
import { profileMeanTable, profileTable, sortProfile } from "./profile.ts";

const profile = sortProfile({ "4": [40, 44], "2": [30, 10, 20] });

it("repeats the recorded sizes and draws lines between, also where a larger batch was faster", () => {
  expect([...profileTable(profile, 0.5, 6)]).toEqual([0, 20, 20, 31, 42, 42, 42]);
  expect([...profileTable(sortProfile({ "1": [5], "2": [4] }), 0.5, 2)]).toEqual([0, 5, 4]);
});

it("averages a function of the time, not its value at the mean time", () => {
  const calls = profileMeanTable(profile, 2, (ms) => Math.ceil(ms / 20), 1_000);
  expect(calls[2]).toBeCloseTo(1.5, 2);
});

it("refuses a profile without samples", () => {
  expect(() => sortProfile({})).toThrow(/no batch size/);
  expect(() => sortProfile({ "2": [] })).toThrow(/size 2/);
});
