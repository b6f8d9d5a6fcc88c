/** Replays a generated world under a policy, in this process. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { replayTrace, type LogSink } from "../run.ts";
import type { ReplaySummary } from "../summary.ts";
import { parseScenario } from "../world/scenario.ts";
import type { GeneratedWorld } from "./generated-world.ts";

export interface WorldReplay {
  /** Makes the policy from its inputs. */
  readonly policy: (inputs: PolicyInputs) => Policy;
  /** The price sheet of that name. */
  readonly sheetOf: (name: string) => PriceSheet;
  readonly log?: LogSink;
}

/**
 * @example
 * const policy = policyWith("spillway");
 * (await replayWorld(generatedWorld(7), { policy, sheetOf: readPriceSheet })).inSloShare; // 0.998
 */
export function replayWorld(
  { scenario, arrivalsS, seed }: GeneratedWorld,
  { policy, sheetOf, log }: WorldReplay,
): Promise<ReplaySummary> {
  return replayTrace({
    trace: traceOf(scenario.name, arrivalsS),
    scenario: parseScenario(JSON.stringify(scenario), scenario.name),
    sheet: sheetOf(scenario.serverless.prices),
    policy,
    log,
    seed,
    fromS: 0,
    toS: Infinity,
    scale: 1,
  });
}

function traceOf(name: string, arrivalsS: readonly number[]): Parameters<typeof replayTrace>[0]["trace"] {
  const bytes = new TextEncoder().encode(`t\n${arrivalsS.map((atS) => `${atS}\n`).join("")}`);
  return {
    name,
    open: async function* () {
      yield bytes;
    },
  };
}
