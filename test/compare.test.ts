/** `spillway replay --compare` as a user runs it, on a small trace in a small world. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { policyNames } from "../client/policies/registry.ts";
import { executable } from "./built.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));

const link = { rttMs: 2, uplinkMbps: 100 };
const size = { name: "small", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [40, 50], "4": [90, 120] } };
const scenario = {
  name: "small",
  sloMs: 300,
  requestBytes: 10_000,
  edge: { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10, 12], "8": [40, 50] } },
  serverless: {
    link,
    maxInstances: 20,
    idleMs: 60_000,
    coldStartMs: [100],
    prices: "aws-lambda-us-east-1-x86",
    sizes: [size],
  },
};
/** 200 requests: 25 of each 50 come at 26 a second, the others at 500. */
const gapsS = Array.from({ length: 200 }, (_, request) => (request % 50 < 25 ? 0.038 : 0.002));
let atS = 0;
const moments = gapsS.map((gapS) => (atS += gapS).toFixed(3));

const scenarioPath = join(folder, "scenario.json");
const tracePath = join(folder, "trace.csv");
writeFileSync(scenarioPath, JSON.stringify(scenario));
writeFileSync(tracePath, `t\n${moments.join("\n")}\n`);

function replay(...flags: string[]) {
  const files = ["--trace", tracePath, "--scenario", scenarioPath];
  return spawnSync(process.execPath, [executable, "replay", ...files, ...flags], { encoding: "utf8" });
}

describe("replay --compare", () => {
  it("prints a table with one line for every policy", () => {
    const { status, stdout, stderr } = replay("--compare", "all");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const [head = "", ...lines] = stdout.trimEnd().split("\n");
    for (const column of ["USD per 1000", "in SLO", "p50 / p95 / p99 ms", "edge share", "mean batch"])
      expect(head).toContain(column);
    expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(policyNames);
    const share = head.indexOf("edge share");
    const shares = lines.map((line) => line.slice(share, share + 8).trim());
    expect(shares[policyNames.indexOf("edge-only")]).toBe("100.00 %");
    expect(shares[policyNames.indexOf("serverless-only")]).toBe("0.00 %");
  });

  it("gives each policy, in the order asked for, what it comes to on its own", () => {
    const { stdout } = replay("--compare", "serverless-only, fixed,serverless-only", "--json", "--seed", "7");
    const alone = ["serverless-only", "fixed"].map((policy) => {
      const own = replay("--policy", policy, "--json", "--seed", "7");
      return { policy, ...(JSON.parse(own.stdout) as object) };
    });
    expect(JSON.parse(stdout)).toEqual(alone);
  });

  it("with --tune names the parameters that were found, of those that have some", () => {
    const { stdout, stderr } = replay("--compare", "triton,greedy", "--tune", "--json", "--scale", "4");
    expect(stderr).toBe("");
    const [triton, greedy] = JSON.parse(stdout) as { inSloShare: number; parameters?: object }[];
    expect(Object.keys(triton?.parameters ?? {})).toEqual(["preferredPart", "queueDelayPart", "timeoutPart"]);
    expect(greedy).not.toHaveProperty("parameters");
    const untuned = JSON.parse(replay("--policy", "triton", "--json", "--scale", "4").stdout) as {
      inSloShare: number;
    };
    expect(triton?.inSloShare).toBeGreaterThan(untuned.inSloShare);
    const table = replay("--compare", "greedy,triton", "--tune").stdout.trimEnd().split("\n");
    expect(table.at(-1)).toMatch(
      /^triton with preferredPart [\d.]+, queueDelayPart [\d.]+, timeoutPart [\d.]+$/,
    );
  });

  it("with --tune logs one policy's replay with what was found, and only that", () => {
    const log = join(folder, "tuned.ndjson");
    const { stdout } = replay("--policy", "bentoml", "--tune", "--log", log);
    expect(stdout).toMatch(/^tuned: maxLatencyPart [\d.]+, maxBatchPart [\d.]+$/m);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    const { inSlo } = JSON.parse(lines.at(-1) ?? "") as { inSlo: number };
    expect(stdout).toContain(`200 requests: ${inSlo} in SLO`);
    expect(lines.filter((line) => line.includes('"kind":"header"'))).toHaveLength(1);
  });

  it.each([
    [
      ["--compare", "fixed,cheapest"],
      `--compare names "cheapest"; allowed: all, or some of fixed, edge-only`,
    ],
    [["--compare", "fixed,"], `--compare names ""`],
    [["--compare", "all", "--log", join(folder, "log")], "--log is of one policy"],
    [
      ["--policy", "spillway", "--tune"],
      "--tune with --policy spillway, which has no parameters; allowed: fixed",
    ],
  ])("ends with status 2 and one clear line for %j", (flags, message) => {
    const { status, stdout, stderr } = replay(...flags);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});
