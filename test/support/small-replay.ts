/** A small trace in a small world, replayed by the command as a user gives it. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, runInProcess } from "./command-line.ts";

const link = { rttMs: 2, uplinkMbps: 100 };
const size = { name: "small", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [40, 50], "4": [90, 120] } };
export const serverless = {
  link,
  maxInstances: 20,
  idleMs: 60_000,
  coldStartMs: [100],
  prices: "aws-lambda-us-east-1-x86",
  sizes: [size],
};
const scenario = {
  name: "small",
  sloMs: 300,
  requestBytes: 10_000,
  edge: { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10, 12], "8": [40, 50] } },
  serverless,
};

/** 200 requests: 25 of each 50 come at 26 a second, the others at 500. */
function trace(): string {
  const gapsS = Array.from({ length: 200 }, (_, request) => (request % 50 < 25 ? 0.038 : 0.002));
  let atS = 0;
  return `t\n${gapsS.map((gapS) => (atS += gapS).toFixed(3)).join("\n")}\n`;
}

export interface SmallReplay {
  /** For files of the test, too. */
  readonly folder: string;
  readonly scenarioPath: string;
  /** The flags that name trace and scenario. */
  readonly files: readonly string[];
  run(...flags: string[]): Promise<Ended>;
}

/** @param change fields of the scenario that are other than the small world's */
export function smallReplay(change: object = {}): SmallReplay {
  const folder = mkdtempSync(join(tmpdir(), "spillway-replay-"));
  const scenarioPath = join(folder, "scenario.json");
  const tracePath = join(folder, "trace.csv");
  writeFileSync(scenarioPath, JSON.stringify({ ...scenario, ...change }));
  writeFileSync(tracePath, trace());
  const files = ["--trace", tracePath, "--scenario", scenarioPath];
  return {
    folder,
    scenarioPath,
    files,
    run: (...flags) => runInProcess("replay", ...files, ...flags),
  };
}
