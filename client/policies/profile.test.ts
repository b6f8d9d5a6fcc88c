import { expect, it } from "vitest";
import { assumedTimes, unmeasured } from "../daemon/profile/daemon-profile.ts";
import { parseProfile, type ProfiledTarget } from "./profile.ts";
import { profiledTargets, standInFor } from "./profiled-targets.ts";
import { tinySheet } from "../../test/support/tiny-world.ts";

const times = { requestBytes: 1_000, maxBatch: 2, serviceMs: { "1": [10, 12], "2": [18] } };
const edge: ProfiledTarget = {
  name: "edge",
  kind: "edge",
  replicas: 1,
  link: { rttMs: 2, uplinkMbps: 8 },
  coldStartMs: [],
  models: { m: times },
};
const small: ProfiledTarget = { ...edge, name: "small", kind: "serverless", vcpu: 1, memoryMib: 1_024 };
const whole = { format: "spillway-profile/1", targets: [edge, small] };
const sheet = { ...tinySheet, perCall: 0 };

it("is read as it was written", () => {
  expect(parseProfile(JSON.stringify(whole), "p.json")).toEqual(whole);
});

it.each([
  ["{", /^p\.json: .*JSON/],
  ['{"name": "s", "sloMs": 500}', /^p\.json: this is a scenario, for replay; spillway profile --save makes/],
  [
    JSON.stringify({ ...whole, format: "other" }),
    /^p\.json: format is "other"; allowed: "spillway-profile\/1"/,
  ],
  [
    JSON.stringify({ ...whole, targets: [{ ...edge, models: { m: { ...times, serviceMs: { x: [1] } } } }] }),
    /^p\.json: targets\.0\.models\.m\.serviceMs has a key "x"; allowed: a batch size/,
  ],
  [
    JSON.stringify({ ...whole, targets: [{ ...edge, models: { m: { ...times, maxBatch: 4 } } }] }),
    /^p\.json: targets\.0\.models\.m\.maxBatch is \d+; allowed: the last size/,
  ],
  [
    JSON.stringify({ ...whole, targets: [{ ...small, vcpu: 0 }] }),
    /^p\.json: targets\.0\.vcpu is 0; allowed: a number, above 0/,
  ],
])("names file and place of what is wrong in %s", (text, message) => {
  expect(() => parseProfile(text, "p.json")).toThrow(message);
});

it("gives policies latencies and prices by rows", () => {
  const [onEdge, onSmall] = profiledTargets([edge, small], "m", sheet);
  expect(onEdge).toMatchObject({ name: "edge", replicas: 1, maxBatchRows: 2, rttMs: 2, costs: [0, 0, 0] });
  expect(onEdge?.uploadMs).toEqual([0, 1, 2]);
  expect(onEdge?.serviceMs(0.5)).toEqual([0, 11, 18]);
  expect(onSmall?.costs[2]).toBeCloseTo(0.018, 9);
});

it("lets the first known model stand in for one that was not measured", () => {
  expect(standInFor("m", [edge, small])).toBe("m");
  expect(standInFor("other", [edge, small])).toBe("m");
});

it("assumes that a part of a core is as much slower", () => {
  const edges = [{ name: "edge" }];
  const functions = [{ name: "half", vcpu: 0.5, memoryMib: 512 }];
  const { targets } = unmeasured({ edges, functions, options: { serverlessCalls: 7 } });
  expect(targets.map(({ name, replicas }) => [name, replicas])).toEqual([
    ["edge", 1],
    ["half", 7],
  ]);
  const [onEdge, half] = targets.map((target) => assumedTimes(target).serviceMs["1"]?.[0] as number);
  expect(half).toBe(2 * (onEdge as number));
});
