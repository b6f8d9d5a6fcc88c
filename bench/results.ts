/**
 * Writes `docs/reference/results.md`: every policy on every pairing of a trace and a scenario, replayed by the program as a user
 * runs it. Policies with parameters get the best ones for each trace, in hindsight. Without the traces and scenarios
 * beside the repository, nothing is written. With `--only NAME` it replays one pairing, and writes its page to the
 * standard output.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { distanceOf } from "./results/distance.ts";
import { type LongestWait, longestWaits, waitPairings } from "./longest-waits.ts";
import {
  ownSeeds,
  type Pairing,
  pairingSlo,
  type PolicyResult,
  readPairings,
  readReferences,
  replayPairing,
} from "./pairings.ts";
import type { PairingResult } from "./results/pairing-result.ts";
import { resultsPage } from "./results/results-page.ts";

/** The quantile that a careful dispatcher reserves; the limit is taken at it, too. */
const reservedQuantile = "0.99";

/** The last section of the page was measured by an earlier version and stays as it is. */
const measuredBeforeHeading = "## What each part of the learning is worth\n";

const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
const all = readPairings();
const pairings = only === undefined ? all : all?.filter(({ name }) => name === only);
if (all === undefined || pairings === undefined) {
  console.error("../shared/data/pairings.json: no such file; docs/reference/results.md is left as it is");
} else if (pairings.length === 0) {
  console.error(`--only is "${only}"; allowed: ${all.map(({ name }) => name).join(", ")}`);
  process.exitCode = 2;
} else {
  const page = await replayed(pairings);
  if (only === undefined) rewrite(page);
  else process.stdout.write(page);
}

async function replayed(pairings: readonly Pairing[]): Promise<string> {
  const references = readReferences();
  const results: PairingResult[] = [];
  const waits = new Map<string, LongestWait[]>();
  for (const pairing of pairings) {
    results.push({
      pairing,
      ...pairingSlo(pairing),
      ...(await replaysOf(pairing)),
      references: references.get(pairing.name) ?? [],
    });
    if (waitPairings.includes(pairing.name)) waits.set(pairing.name, await longestWaits(pairing));
    console.error(`${pairing.name}: replayed`);
  }
  return resultsPage(results, waits);
}

/** At most two replays at a time. */
async function replaysOf(
  pairing: Pairing,
): Promise<Pick<PairingResult, "results" | "reservedRatio" | "bySeed" | "distance">> {
  const [results, own] = await Promise.all([
    replayPairing(pairing, ["--compare", "all", "--tune"]),
    ownReplaysOf(pairing),
  ]);
  return { results: results as PolicyResult[], ...own };
}

async function ownReplaysOf(
  pairing: Pairing,
): Promise<Pick<PairingResult, "reservedRatio" | "bySeed" | "distance">> {
  const bySeed: PolicyResult[] = [];
  for (const seed of ownSeeds) {
    const flags = ["--policy", "spillway", "--limit-quantile", reservedQuantile];
    bySeed.push((await replayPairing(pairing, flags, seed)) as PolicyResult);
  }
  const [{ limitRatio: reservedRatio }] = bySeed as [PolicyResult];
  return { reservedRatio, bySeed, distance: await distanceOf(pairing) };
}

function rewrite(page: string): void {
  const file = new URL("../../docs/reference/results.md", import.meta.url);
  const [, measuredBefore = ""] = readFileSync(file, "utf8").split(measuredBeforeHeading);
  writeFileSync(file, `${page}\n${measuredBeforeHeading}${measuredBefore}`);
  execFileSync("npx", ["oxfmt", fileURLToPath(file)]);
}
