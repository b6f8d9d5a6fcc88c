/**
 * Writes `docs/reference/results.md`: every policy on every pairing of a trace and a scenario, replayed by the program as a user
 * runs it. Policies with parameters get the best ones for each trace, in hindsight. Without the traces and scenarios
 * beside the repository, nothing is written.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type LongestWait, longestWaits, waitPairings } from "./longest-waits.ts";
import { type PolicyResult, readPairings, readReferences, replayPairing, pairingSlo } from "./pairings.ts";
import { type PairingResult, resultsPage } from "./results-page.ts";

/** The quantile that a careful dispatcher reserves; the limit is taken at it, too. */
const reservedQuantile = "0.99";

/** The last section of the page was measured by an earlier version and stays as it is. */
const measuredBeforeHeading = "## What each part of the learning is worth\n";

const pairings = readPairings();
if (pairings === undefined) {
  console.log("../shared/data/pairings.json: no such file; docs/reference/results.md is left as it is");
} else {
  const references = readReferences();
  const results: PairingResult[] = [];
  const waits = new Map<string, LongestWait[]>();
  for (const pairing of pairings) {
    const compared = (await replayPairing(pairing, ["--compare", "all", "--tune"])) as PolicyResult[];
    const own = await replayPairing(pairing, ["--policy", "spillway", "--limit-quantile", reservedQuantile]);
    const { limitRatio: reservedRatio } = own as PolicyResult;
    const { sloMs, sloQuantile } = pairingSlo(pairing);
    const reference = references.get(pairing.name) ?? [];
    results.push({ pairing, sloMs, sloQuantile, results: compared, reservedRatio, references: reference });
    if (waitPairings.includes(pairing.name)) waits.set(pairing.name, await longestWaits(pairing));
    console.log(`${pairing.name}: replayed`);
  }
  const file = new URL("../../docs/reference/results.md", import.meta.url);
  const [, measuredBefore = ""] = readFileSync(file, "utf8").split(measuredBeforeHeading);
  writeFileSync(file, `${resultsPage(results, waits)}\n${measuredBeforeHeading}${measuredBefore}`);
  execFileSync("npx", ["oxfmt", fileURLToPath(file)]);
}
