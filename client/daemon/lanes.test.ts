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

  it("without an SLO are best effort: they wait for an hour", () => {
    expect(lanesOf("bulk").options()["bulk"]?.sloMs).toBe(3_600_000);
  });

  it.each([
    ["bulk=fast", "lane 1, slo: "],
    ["a=1,a=2", 'two lanes are called "a"'],
    ["1st=3", "lane 1, name: a name has up to 32 letters"],
    ["bulk=0", "lane 1, slo: "],
    [[{ name: "bulk", slow: 3 }], 'lane 1: Unrecognized key: "slow"'],
    [[{ name: "bulk", fromRows: 1 }], "lane 1, fromRows: "],
    [[{ name: "bulk", leastShare: 1.5 }], "lane 1, leastShare: "],
    [[{ name: "bulk", leastShare: 0.5, mostShare: 0.4 }], 'lane "bulk": leastShare is above mostShare'],
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
