import { describe, expect, it } from "vitest";
import { checkValues } from "../../base/program/options.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { DaemonLanes, tenantOf } from "./lanes.ts";
import { daemonOptions } from "./options.ts";

const lanesOf = (lanes: unknown): DaemonLanes =>
  new DaemonLanes(checkValues(daemonOptions, { lanes }, { lanes: "--lanes" }).lanes);

const requestOf = (rows: number, parameters: Record<string, string | number> = {}) => ({
  parameters,
  inputs: [
    tensorFromNumbers(
      "x",
      "FP32",
      [rows, 1],
      Array.from({ length: rows }, () => 0),
    ),
  ],
});

const usual = { maxRows: undefined, maxBytes: undefined, leastShare: 0.05, mostShare: 1 };

describe("lanes", () => {
  it("are written as names with seconds, or as a list with all their settings", () => {
    expect(lanesOf("realtime=0.3, bulk=60").options()).toEqual({
      realtime: { sloMs: 300, ...usual },
      bulk: { sloMs: 60_000, ...usual },
    });
    const bulk = { name: "bulk", slo: 60, maxRows: 500, maxMib: 2, leastShare: 0.2, mostShare: 0.5 };
    expect(lanesOf([bulk]).options()).toEqual({
      bulk: { sloMs: 60_000, maxRows: 500, maxBytes: 2 ** 21, leastShare: 0.2, mostShare: 0.5 },
    });
  });

  it("have a quantile of their own, or that of all requests", () => {
    const goals = { sloMs: 1_000, sloQuantile: 0.99 };
    expect(lanesOf("realtime=0.3@0.999,bulk=60,rest").goals(goals)).toEqual({
      "": goals,
      realtime: { sloMs: 300, sloQuantile: 0.999 },
      bulk: { sloMs: 60_000, sloQuantile: 0.99 },
      rest: { sloMs: 3_600_000, sloQuantile: 0.99 },
    });
  });

  it("without an SLO are best effort: they wait for an hour", () => {
    expect(lanesOf("bulk").options()["bulk"]?.sloMs).toBe(3_600_000);
  });

  it.each([
    ["bulk=fast", 'lane 1, slo is "fast"; allowed: a number, above 0, to 86400'],
    ["a=1,a=2", 'two lanes are called "a"'],
    ["1st=3", 'lane 1, name is "1st"; allowed: up to 32 letters'],
    ["bulk=0.3=4", 'lane 1, slo is "0.3=4"; allowed: '],
    ["bulk=1@2", "lane 1, sloQuantile is 2; allowed: a number, 0.5 to 0.9999"],
    ["bulk=1@", 'lane 1, sloQuantile is ""; allowed: a number, 0.5 to 0.9999'],
    ["bulk=0", "lane 1, slo is 0; allowed: a number, above 0"],
    [[{ name: "bulk", slow: 3 }], 'lane 1 has an unknown key "slow"; did you mean "slo"?'],
    [[{ name: "bulk", fromRows: 1 }], "lane 1, fromRows is 1; allowed: an integer, 2 or more"],
    [[{ name: "bulk", leastShare: 1.5 }], "lane 1, leastShare is 1.5; allowed: a number, 0 to 1"],
    [
      [{ name: "bulk", leastShare: 0.5, mostShare: 0.4 }],
      'lane "bulk": leastShare is 0.5; allowed: 0 to its mostShare of 0.4',
    ],
    [
      [
        { name: "a", leastShare: 0.75 },
        { name: "b", leastShare: 0.5 },
      ],
      "the lanes' leastShare come to 1.25; allowed: 1 in all",
    ],
  ])("are refused as %j", (lanes, message) => {
    expect(() => lanesOf(lanes)).toThrow(message);
  });
});

describe("the lane of a request", () => {
  const lanes = lanesOf([
    { name: "quick", slo: 0.1, priorities: [1, 2] },
    { name: "night", keys: ["cron"] },
    { name: "bulk", slo: 60, fromRows: 16 },
  ]);

  it.each([
    ["none, where nothing speaks for one", 1, {}, {}, undefined],
    ["that of its rows", 16, {}, {}, "bulk"],
    ["that of its priority before that of its rows", 16, { priority: 2 }, {}, "quick"],
    ["that of its API key before both", 16, { priority: 1 }, { key: "cron" }, "night"],
    [
      "the one that a parameter names before all these",
      16,
      { spillway_lane: "quick" },
      { key: "cron" },
      "quick",
    ],
    ["the one that the header names first of all", 1, { spillway_lane: "quick" }, { lane: "bulk" }, "bulk"],
  ])("is %s", (_, rows, parameters, hints, lane) => {
    expect(lanes.laneOf(requestOf(rows, parameters), hints)).toBe(lane);
  });

  it("must be there", () => {
    expect(() => lanes.laneOf(requestOf(1), { lane: "fast" })).toThrow(
      'spillway_lane is "fast"; allowed: quick, night, bulk',
    );
    expect(() => lanesOf([]).laneOf(requestOf(1, { spillway_lane: "fast" }), {})).toThrow(
      "--lanes sets some",
    );
  });
});

it("the tenant of a request is its API key, else what its header or a parameter says", () => {
  const request = requestOf(1, { spillway_tenant: "c" });
  expect(tenantOf(request, { key: "a", tenant: "b" })).toBe("a");
  expect(tenantOf(request, { tenant: "b" })).toBe("b");
  expect(tenantOf(request, {})).toBe("c");
  expect(tenantOf(requestOf(1), {})).toBeUndefined();
  expect(() => tenantOf(requestOf(1), { tenant: "x".repeat(200) })).toThrow("at most 128 characters");
  expect(() => tenantOf(requestOf(1, { spillway_tenant: 7 }), {})).toThrow("spillway_tenant is 7");
});
