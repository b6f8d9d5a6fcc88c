/**
 * Judges the policy in generated worlds, `npm run worlds -- [FROM [TO]]`: a line for each world whose quantile it misses
 * although somebody meets it, and how many there are. The same seeds give the same worlds on every machine.
 */
import { readPriceSheet } from "../serverless/prices/price-sheet-files.ts";
import { type GeneratedWorld, generatedWorld } from "../replay/worlds/generated-world.ts";
import { withoutLuck, worldHindsight } from "../replay/worlds/world-hindsight.ts";
import {
  judgeWorld,
  missedByChance,
  missedByLuck,
  missedBySimple,
  missedPart,
  verdictText,
  type WorldVerdict,
} from "../replay/worlds/world-verdict.ts";

const sheets = { sheetOf: readPriceSheet };
const oracles = [
  (world: GeneratedWorld) => worldHindsight(withoutLuck(world), sheets, "hindsight without luck"),
  (world: GeneratedWorld) => worldHindsight(world, sheets),
];
const [from = 0, to = from + 1_000] = process.argv.slice(2).map(Number);
const verdicts: WorldVerdict[] = [];
for (let seed = from; seed < to; seed++) {
  const verdict = await judgeWorld(generatedWorld(seed), { ...sheets, oracles });
  verdicts.push(verdict);
  if (verdict.kind === "missed") console.log(verdictText(verdict));
}
const count = (kind: WorldVerdict["kind"]): number => verdicts.filter((each) => each.kind === kind).length;
console.log(
  `${count("met")} met, ${count("missed")} missed (${(100 * missedPart(verdicts)).toFixed(1)} % of those that can be met; ` +
    `${missedBySimple(verdicts)} of them met by another policy, ${missedByLuck(verdicts)} only by a schedule that knows ` +
    `how long each batch will take, the others by one that knows when requests come; in ${missedByChance(verdicts)} of them ` +
    `not even a lone request on an idle target is in time with the quantile's probability), ` +
    `${count("unmet")} that nobody meets`,
);
