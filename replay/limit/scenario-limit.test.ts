import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import { surveyArrivals } from "../traces/arrival-survey.ts";
import { textFile } from "../files.ts";
import { profileTargets } from "../world/profile.ts";
import { besideLimit, limitOverTime, scenarioLimit } from "./scenario-limit.ts";
import { parseScenario } from "../world/scenario.ts";
import { Tally } from "../summary.ts";

/** Serves up to two rows in 10 ms; a call costs 6. */
function target(kind: "edge" | "serverless"): TargetProfile {
  return {
    name: kind,
    kind,
    replicas: 1,
    maxBatchRows: 2,
    rttMs: 0,
    uploadMs: [0, 0, 0],
    meanServiceMs: [0, 10, 10],
    costs: kind === "edge" ? [0, 0, 0] : [0, 6, 6],
    costOf: () => (kind === "edge" ? 0 : 6),
    coldStartMs: 0,
    idleMs: Infinity,
    serviceMs: () => [0, 10, 10],
  };
}
const targets = [target("edge"), target("serverless")];

function survey(...momentsMs: number[]) {
  return {
    requests: momentsMs.length,
    lastAtMs: momentsMs.at(-1) ?? 0,
    momentsMs: Float64Array.from(momentsMs),
  };
}

function summary(cost: number) {
  return { ...new Tally({ sloMs: 100, lanes: {} }, []).summary("USD"), cost };
}

it("is what the functions cost at least beyond what the edge can do, and 0 where it can do all", () => {
  // Ten at once within 20 ms: the edge serves four, functions the others by twos.
  const { limit } = scenarioLimit(survey(...Array.from({ length: 10 }, () => 0)), targets, 20, 0.5);
  expect(limit).toEqual({
    quantile: 0.5,
    cost: 18,
    serverlessOnlyCost: 30,
    costPer1000: 1_800,
    absence: null,
  });
  expect(besideLimit(summary(36), limit)).toMatchObject({ cost: 36, limitRatio: 2 });
  const calm = scenarioLimit(survey(0, 100, 200), targets, 20, 0.5).limit;
  expect(calm.cost).toBe(0);
  expect(besideLimit(summary(5), calm).limitRatio).toBeNull();
});

it("takes several edges for one with the replicas of all", () => {
  const edges = [target("edge"), { ...target("edge"), name: "other", meanServiceMs: [0, 15, 15] }];
  // Ten at once within 20 ms: the edges serve eight at most, functions the other two in one call.
  const arrivals = survey(...Array.from({ length: 10 }, () => 0));
  const { limit } = scenarioLimit(arrivals, [...edges, target("serverless")], 20, 0.5);
  expect(limit).toMatchObject({ cost: 6, serverlessOnlyCost: 30, absence: null });
});

it("is absent where no function is in time, and where there are too many arrivals", () => {
  const infeasible = scenarioLimit(survey(0), targets, 9, 0.5);
  expect(infeasible.limit).toMatchObject({ cost: null, absence: "infeasible" });
  const long = scenarioLimit({ ...survey(0), momentsMs: undefined }, targets, 20, 0.5);
  expect(long.limit).toMatchObject({ cost: null, costPer1000: null, absence: "too many arrivals" });
  for (const of of [infeasible, long]) {
    expect(besideLimit(summary(1), of.limit).limitRatio).toBeNull();
    expect(limitOverTime(of, 10)).toEqual([]);
  }
});

it("has nothing per 1000 where nothing arrives", () => {
  expect(scenarioLimit(survey(), targets, 20, 0.5).limit).toMatchObject({ cost: 0, costPer1000: null });
});

it("adds up to its cost over time", () => {
  const moments = [0, 5_000].flatMap((atMs) => Array.from({ length: 8 }, () => atMs));
  const overTime = limitOverTime(scenarioLimit(survey(...moments), targets, 20, 0.5), 2_000);
  expect(overTime).toEqual([12, 12, 24]);
});

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url));

it.skipIf(!existsSync(shared))(
  "agrees with the referee's limit on a recorded trace (skips without ../shared)",
  { tags: ["slow"] },
  async () => {
    const trace = join(shared, "data/traces/synthetic-poisson-steps.csv.gz");
    const path = join(shared, "data/scenarios/vgg-titanx-slow-uplink.json");
    const scenario = parseScenario(readFileSync(path, "utf8"), path);
    const sheetPath = join(shared, `data/prices/${scenario.serverless.prices}.json`);
    const sheet = JSON.parse(readFileSync(sheetPath, "utf8")) as PriceSheet;
    const arrivals = await surveyArrivals(textFile(trace), { seed: 1, fromS: 600, toS: 900, scale: 1 });
    for (const quantile of [0.5, 0.99]) {
      const span = ["--from", "600", "--to", "900"];
      const flags = ["--trace", trace, "--scenario", path, ...span, "--quantile", String(quantile)];
      const printed = execFileSync(process.execPath, [join(shared, "referee/limit.mjs"), ...flags], {
        encoding: "utf8",
      });
      const theirs = JSON.parse(printed) as { requests: number; cost: number; serverlessOnlyCost: number };
      const { limit } = scenarioLimit(arrivals, profileTargets(scenario, sheet), scenario.sloMs, quantile);
      expect(theirs.requests).toBe(arrivals.requests);
      expect(theirs.cost).toBeGreaterThan(0);
      expect((limit.cost as number) / theirs.cost).toBeCloseTo(1, 3);
      expect((limit.serverlessOnlyCost as number) / theirs.serverlessOnlyCost).toBeCloseTo(1, 3);
    }
  },
);
