/** The section of the results on what parts of `spillway` are worth. */
import { figure, percent } from "../../base/figures.ts";
import { meetsSlo } from "../../replay/summary.ts";
import { type AblationName, ablationNames, ablations } from "./ablations.ts";
import type { OwnReplay } from "./own-run.ts";
import { type PairingResult, table } from "./pairing-result.ts";

/** A part that changes less than this is not worth its lines: of the cost, and of the share in SLO. */
const worthCost = 0.005;
const worthShare = 0.0005;

export function ablationSection(results: readonly PairingResult[]): string {
  const rows = results.map(({ pairing, scenario, bySeed, ablated }) => {
    const { summary: own } = bySeed[0]!;
    const cells = ablationNames.map((name) => {
      const { summary } = ablated.get(name)!;
      const missed = meetsSlo(summary, scenario) ? "" : " (missed)";
      return `${figure(summary.cost / own.cost)}, ${percent(summary.inSloShare)}${missed}`;
    });
    return [pairing.name, percent(own.inSloShare), ...cells];
  });
  const idle = ablationNames.filter((name) => results.every((result) => isIdle(result, name)));
  return `## What parts of \`spillway\` are worth

The cost without one part as a ratio to the cost with all, and the share in SLO. These are the parts that can be left out
from outside, by telling the policy less:

${ablationNames.map((name) => `- without ${name}: ${ablations[name].text}`).join("\n")}

${table(["pairing", "with all", ...ablationNames.map((name) => `without ${name}`)], rows)}
${idle.length === 0 ? "Each of them changes something somewhere." : `Not worth its lines on any of these pairings: ${idle.join(", ")}.`} \
Something is a cost that is ${worthCost * 100} % higher, or a share that is ${percent(worthShare)} lower.
`;
}

/** Whether the policy is as good without that part on that pairing. */
function isIdle({ bySeed, ablated }: PairingResult, name: AblationName): boolean {
  const { summary: own } = bySeed[0] as OwnReplay;
  const { summary } = ablated.get(name) as OwnReplay;
  const isCheap = summary.cost <= own.cost * (1 + worthCost);
  return isCheap && (summary.inSloShare ?? 1) >= (own.inSloShare ?? 1) - worthShare;
}
