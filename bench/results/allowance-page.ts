/** The page on what `--spend-allowance` saves, and what it does to the worst minute. */
import { median } from "simple-statistics";
import { figure, percent } from "../../base/figures.ts";
import { fewestRequests, type OwnReplay } from "./own-run.ts";
import { geometricMean, type SpentResult, table, windowsS } from "./pairing-result.ts";
import { ownSeeds, resultsSeed } from "./pairings.ts";

export function allowancePage(results: readonly SpentResult[]): string {
  const rows = results.map(({ pairing, bySeed, spentBySeed }) => {
    const refused = sum(spentBySeed, refusedIn) - sum(bySeed, refusedIn);
    return [
      pairing.name,
      figure(ratioOf(spentBySeed, bySeed)),
      `${percent(least(bySeed, inSlo))} / ${percent(least(spentBySeed, inSlo))}`,
      `${percent(least(bySeed, worstMinute))} / ${percent(least(spentBySeed, worstMinute))}`,
      `${sum(spentBySeed, lateIn) - sum(bySeed, lateIn)} / ${refused}`,
    ];
  });
  const windowRows = results.map((result) => {
    const cells = byWindow(result).map(([spent, own]) => {
      return `${figure(ratioOf([spent], [own]))} (${percent(inSlo(spent))}, ${percent(worstMinute(spent))})`;
    });
    return [result.pairing.name, ...cells];
  });
  const means = windowsS.map((_, index) =>
    geometricMean(results.map((result) => ratioOf(...pairOf(byWindow(result)[index]!)))),
  );
  return `# What spending the allowance saves

\`spillway\` with \`--spend-allowance\` beside \`spillway\` without it ([how it works](policies.md#spending-the-allowance)), on
the traces and scenarios of the [results](results.md). Made by \`npm run allowance\`; every figure is computed.

With a window of ${windowsS[0]} s, and the seeds ${ownSeeds.join(", ")}: the cost as a part of what it is without the option (median),
the least share of requests in SLO, the same of any minute (of those that end with a request and have ${fewestRequests} or more), and how many
requests more were answered late, or refused, with all seeds together. Minutes are judged with all losses, also those
that nobody chose.

${table(["pairing", "cost", "in SLO, without / with", "in the worst minute, without / with", "more late / refused"], rows)}
The longer the window, the more requests of a burst may be given up, and the worse is the worst minute. The cost with each
window as a part of that without, with the share in SLO and that of the worst minute, and the seed ${resultsSeed}:

${table(["pairing", ...windowsS.map((each) => `${each} s`)], windowRows)}
The geometric means are ${means.map(figure).join(", ")}.
`;
}

/** With each window, and without, of the first seed. */
function byWindow({
  bySeed,
  spentBySeed,
  others,
}: SpentResult): readonly (readonly [OwnReplay, OwnReplay])[] {
  return [spentBySeed[0]!, ...others].map((spent) => [spent, bySeed[0]!] as const);
}

function pairOf([spent, own]: readonly [OwnReplay, OwnReplay]): [OwnReplay[], OwnReplay[]] {
  return [[spent], [own]];
}

function ratioOf(spent: readonly OwnReplay[], without: readonly OwnReplay[]): number {
  return median(spent.map(({ summary }, index) => summary.cost / without[index]!.summary.cost));
}

function least(replays: readonly OwnReplay[], figureOf: (each: OwnReplay) => number): number {
  return Math.min(...replays.map(figureOf));
}

function sum(replays: readonly OwnReplay[], figureOf: (each: OwnReplay) => number): number {
  return replays.reduce((total, each) => total + figureOf(each), 0);
}

const inSlo = ({ summary }: OwnReplay): number => summary.inSloShare ?? 1;
const worstMinute = (replay: OwnReplay): number => replay.worstMinute;
const lateIn = ({ summary }: OwnReplay): number => summary.served - summary.inSlo;
const refusedIn = ({ summary }: OwnReplay): number => summary.requests - summary.served;
