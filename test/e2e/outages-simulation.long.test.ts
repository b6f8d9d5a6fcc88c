/** The queue in thousands of random worlds of outages: see `outages-simulation.test.ts`. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { livenessViolations } from "../../replay/outages/liveness.ts";
import { runOutages } from "../../replay/outages/outage-run.ts";
import { outageWorlds } from "../support/outage-worlds.ts";

const worlds = 3_000;

it("loses fewer than one request in a thousand for nothing, in thousands of worlds", () => {
  let requests = 0;
  let lost = 0;
  const told: string[] = [];
  for (const [index, world] of fc.sample(outageWorlds, { seed: 1, numRuns: worlds }).entries()) {
    const found = livenessViolations(world, runOutages(world));
    requests += world.arrivals.length;
    lost += found.length;
    if (found.length > 0) told.push(`world ${index}: ${found.length} of ${world.arrivals.length}`);
  }
  console.log(`${lost} of ${requests} requests lost for nothing\n${told.join("\n")}`);
  expect(lost / requests).toBeLessThan(1e-3);
}, 1_200_000);
