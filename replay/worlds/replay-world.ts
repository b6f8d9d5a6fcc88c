/** Replays a generated world under a policy, in this process. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { replayTrace, type LogSink } from "../run.ts";
import { parseScenario } from "../world/scenario.ts";
import type { GeneratedWorld } from "./generated-world.ts";
import { JudgedRequests } from "./judged-requests.ts";
import type { KnownSchedule } from "./world-verdict.ts";

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
 * (await replayWorld(generatedWorld(7), { policy, sheetOf: readPriceSheet })).share; // 0.998
 */
export async function replayWorld(world: GeneratedWorld, options: WorldReplay): Promise<KnownSchedule> {
  const { scenario, arrivalsS, seed } = world;
  const { policy, sheetOf, log } = options;
  const judged = new JudgedRequests(world);
  let by = "";
  const { cost } = await replayTrace({
    trace: traceOf(scenario.name, arrivalsS),
    scenario: parseScenario(JSON.stringify(scenario), scenario.name),
    sheet: sheetOf(scenario.serverless.prices),
    policy: (inputs) => {
      const made = policy(inputs);
      by = made.name;
      return made;
    },
    log,
    onBatch: (sent) => judged.sent(sent),
    seed,
    fromS: 0,
    toS: Infinity,
    scale: 1,
  });
  return { by, share: judged.inSloShare, cost };
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
