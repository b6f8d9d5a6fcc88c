/**
 * Writes `docs/reference/results.md`, every policy on every pairing of a trace and a scenario, and
 * `docs/reference/allowance.md`, what `--spend-allowance` saves there: `npm run results`. Without the traces and scenarios
 * beside the repository, nothing is written. With `--page results` or `--page allowance` it writes one of the two. With
 * `--only NAME,NAME` it replays those pairings alone, and prints the pages.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allowancePage } from "./results/allowance-page.ts";
import { pairingResultOf, spentResultOf } from "./results/pairing-result.ts";
import { type Pairing, readPairings, readReferences } from "./results/pairings.ts";
import { Replays } from "./results/replays.ts";
import { resultsPage } from "./results/results-page.ts";

const replays = new Replays();
const pages = {
  results: async (pairings: readonly Pairing[]): Promise<string> => {
    const references = readReferences();
    const resultOf = (pairing: Pairing) =>
      pairingResultOf(pairing, replays, references.get(pairing.name) ?? []);
    return resultsPage(await Promise.all(pairings.map(resultOf)));
  },
  allowance: async (pairings: readonly Pairing[]): Promise<string> => {
    const resultOf = (pairing: Pairing) => spentResultOf(pairing, replays);
    return allowancePage(await Promise.all(pairings.map(resultOf)));
  },
};

const { only, page } = parseArgs({
  options: { only: { type: "string" }, page: { type: "string" } },
}).values;
const all = readPairings();
const pairings = only === undefined ? all : all?.filter(({ name }) => only.split(",").includes(name));
const names = page === undefined ? (["results", "allowance"] as const) : namesOf(page);
if (all === undefined || pairings === undefined) {
  console.error("../shared/data/pairings.json: no such file; docs/reference is left as it is");
} else if (pairings.length === 0) {
  refuse(`--only is "${only}"; allowed: ${all.map(({ name }) => name).join(", ")}`);
} else if (names === undefined) {
  refuse(`--page is "${page}"; allowed: ${Object.keys(pages).join(", ")}`);
} else {
  for (const name of names) {
    const text = await pages[name](pairings);
    if (only === undefined) rewrite(name, text);
    else process.stdout.write(text);
  }
}

function namesOf(name: string): readonly (keyof typeof pages)[] | undefined {
  return name === "results" || name === "allowance" ? [name] : undefined;
}

function refuse(message: string): void {
  console.error(message);
  process.exitCode = 2;
}

function rewrite(name: string, text: string): void {
  const file = fileURLToPath(new URL(`../../docs/reference/${name}.md`, import.meta.url));
  writeFileSync(file, text);
  execFileSync("npx", ["oxfmt", file]);
}
