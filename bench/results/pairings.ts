/** The pairings of a trace and a scenario beside the repository, and the results of the reference policies on them. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseScenario, type Scenario } from "../../replay/world/scenario.ts";

export interface Pairing {
  readonly name: string;
  /** Relative to the folder of the data. */
  readonly trace: string;
  readonly scenario: string;
  readonly scale: number;
  readonly fromS: number;
  readonly toS: number;
}

/** The result of a policy from elsewhere: a line of `baselines.md` or `baselines-2.md`. */
export interface Reference {
  readonly policy: string;
  readonly costPer1000: number;
  readonly meets: boolean;
}

/** Of all policies. */
export const resultsSeed = 1;
/** Of `spillway`. */
export const ownSeeds = [resultsSeed, 2, 3] as const;

const data = new URL("../../../../shared/data/", import.meta.url);
const lists = ["pairings.json", "pairings-2.json"];
const referenceTables = ["baselines.md", "baselines-2.md"];

/** Those with one edge, then those with several edges or lanes. Undefined when there is no folder of data. */
export function readPairings(): Pairing[] | undefined {
  const files = lists.map((name) => new URL(name, data)).filter((file) => existsSync(file));
  if (files.length === 0) return undefined;
  return files.flatMap((file) => JSON.parse(readFileSync(file, "utf8")) as Pairing[]);
}

export function tracePath({ trace }: Pairing): string {
  return fileURLToPath(new URL(trace, data));
}

export function scenarioPath({ scenario }: Pairing): string {
  return fileURLToPath(new URL(scenario, data));
}

export function pairingScenario(pairing: Pairing): Scenario {
  const path = scenarioPath(pairing);
  return parseScenario(readFileSync(path, "utf8"), path);
}

/** The reference policies by pairing, from tables beside the pairings. */
export function readReferences(): ReadonlyMap<string, readonly Reference[]> {
  const files = referenceTables.map((name) => new URL(name, data)).filter((file) => existsSync(file));
  const sections = files.flatMap((file) => readFileSync(file, "utf8").split(/^## /m).slice(1));
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
