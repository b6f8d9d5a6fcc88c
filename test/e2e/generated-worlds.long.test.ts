/** The policy in a thousand generated worlds: in how many it misses a quantile that could be met. */
import { expect, it } from "vitest";
import { type GeneratedWorld, generatedWorld } from "../../replay/worlds/generated-world.ts";
import { shippedSheet } from "../support/shipped-sheet.ts";
import { withoutLuck, worldHindsight } from "../../replay/worlds/world-hindsight.ts";
import { judgeWorld, missedPart, verdictText, type WorldVerdict } from "../../replay/worlds/world-verdict.ts";

const worlds = 1_000;
/**
 * Of the worlds whose quantile can be met. The aim is 0.01. Of the first 400 worlds 3 % are missed: 15, 342, 350, 371 (edge and
 * functions are full, and the schedule that knows when requests come, but takes each batch for slow, misses them as well), and
 * 34, 86, 101, 143, 364, 379.
 */
const mostMissed = 0.06;

it("misses the quantile in few of the worlds in which it can be met", async () => {
  const verdicts: WorldVerdict[] = [];
  const sheets = { sheetOf: shippedSheet };
  const oracles = [
    (world: GeneratedWorld) => worldHindsight(withoutLuck(world), sheets, "hindsight without luck"),
    (world: GeneratedWorld) => worldHindsight(world, sheets),
  ];
  for (let seed = 0; seed < worlds; seed++)
    verdicts.push(await judgeWorld(generatedWorld(seed), { ...sheets, oracles }));
  const missed = verdicts.filter(({ kind }) => kind === "missed");
  const unmet = verdicts.filter(({ kind }) => kind === "unmet").length;
  console.log(`${missed.length} of ${worlds - unmet} worlds missed\n${missed.map(verdictText).join("\n")}`);
  expect(missedPart(verdicts)).toBeLessThanOrEqual(mostMissed);
}, 3_600_000);
