/** The queue in thousands of random worlds of outages: see `outages-simulation.test.ts`. */
import fc from "fast-check";
import { it } from "vitest";
import { checkWorld } from "../support/outage-cases.ts";
import { outageWorlds } from "../support/outage-worlds.ts";

it("loses no request that a target could have served, in thousands of worlds", () => {
  fc.assert(fc.property(outageWorlds, checkWorld), { numRuns: 4_000 });
}, 1_200_000);
