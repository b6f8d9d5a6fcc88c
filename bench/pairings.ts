/**
 * The pairings of a trace and a scenario beside the repository: replays of them by the program as a user runs it, and the
 * results of the reference policies.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ReplayPolicyName } from "../replay/peers/registry.ts";
import { parseScenario } from "../replay/world/scenario.ts";
import type { LimitedSummary } from "../replay/limit/scenario-limit.ts";

export interface Pairing {
  readonly name: string;
  /** Relative to the folder of the data. */
  readonly trace: string;
  readonly scenario: string;
  readonly scale: number;
  readonly fromS: number;
  readonly toS: number;
}

export type PolicyResult = LimitedSummary & { readonly policy: ReplayPolicyName };

/** The result of a policy from elsewhere: a line of `baselines.md`. */
export interface Reference {
  readonly policy: string;
  readonly costPer1000: number;
  readonly meets: boolean;
}

/** Of all policies. */
export const resultsSeed = 1;
/** Of `spillway`. */
export const ownSeeds = [resultsSeed, 2, 3] as const;

const data = new URL("../../../shared/data/", import.meta.url);
const executable = fileURLToPath(new URL("../cli.js", import.meta.url));

/** Undefined when there is no folder of data. */
export function readPairings(): Pairing[] | undefined {
  const file = new URL("pairings.json", data);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Pairing[]) : undefined;
}

export function tracePath({ trace }: Pairing): string {
  return fileURLToPath(new URL(trace, data));
}

export function scenarioPath({ scenario }: Pairing): string {
  return fileURLToPath(new URL(scenario, data));
}

export function pairingSlo(pairing: Pairing): { readonly sloMs: number; readonly sloQuantile: number } {
  const path = scenarioPath(pairing);
  return parseScenario(readFileSync(path, "utf8"), path);
}

/** What `spillway replay --json` prints for a pairing with these flags. */
export async function replayPairing(
  pairing: Pairing,
  flags: readonly string[],
  seed: number = resultsSeed,
): Promise<unknown> {
  const { scale, fromS, toS } = pairing;
  const files = ["--trace", tracePath(pairing)];
  if (!flags.includes("--scenario")) files.push("--scenario", scenarioPath(pairing));
  const span = Object.entries({ from: fromS, to: toS, scale, seed });
  const spanFlags = span.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const all = [executable, "replay", "--json", ...files, ...spanFlags, ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, all, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout);
}

/** The reference policies by pairing, from the tables of `baselines.md`. */
export function readReferences(): ReadonlyMap<string, readonly Reference[]> {
  const sections = readFileSync(new URL("baselines.md", data), "utf8").split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [name = "", ...lines] = section.split("\n");
      const rows = lines.filter((line) => line.startsWith("| ")).slice(1);
      return [name.trim(), rows.map(referenceIn)];
    }),
  );
}

function referenceIn(line: string): Reference {
  const [policy = "", cost = "", , meets = ""] = line
    .split("|")
    .slice(1)
    .map((cell) => cell.trim());
  return { policy, costPer1000: Number(cost), meets: meets === "yes" };
}
