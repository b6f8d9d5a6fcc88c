/** What is compared with the present plan: the usual questions, and what was asked for. */
import { figure } from "../../base/figures.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { ReplayPolicyName } from "../peers/registry.ts";
import type { ModelledWorld, WorldChange } from "./modelled-world.ts";
import type { WhatIfOptions } from "./what-if-options.ts";

export interface WhatIfCase {
  /** Short enough for a chart. */
  readonly name: string;
  /** What is asked in full. */
  readonly asks: string;
  readonly policy: ReplayPolicyName;
  readonly change: WorldChange;
  /** Targets that the policy sees. */
  readonly sees: "all" | "edges" | "functions";
}

export const presentName = "as it was, modelled";
export const withoutFunctions = "without functions";
export const functionsAlone = "functions alone";
export const oneEdgeMore = "one edge more";
const fixedPlan = "fixed plan";
const askedName = "as asked";
/** Names of cases that the sentence and the table know. */
export const usualNames: readonly string[] = [
  presentName,
  withoutFunctions,
  functionsAlone,
  oneEdgeMore,
  fixedPlan,
];
/** A longer name would not fit into a chart. */
const mostNameChars = 36;

function usual(
  name: string,
  { policy, change = {}, sees = "all" }: Partial<WhatIfCase> & Pick<WhatIfCase, "policy">,
): WhatIfCase {
  return { name, asks: name, policy, change, sees };
}

/**
 * The cases in the order of the table; the present plan is the first, what was asked for the last.
 *
 * @param present the world as it was
 * @param asked the price sheet that was asked for
 */
export function casesOf(
  present: ModelledWorld,
  policy: ReplayPolicyName,
  options: WhatIfOptions,
  asked: PriceSheet | undefined,
): WhatIfCase[] {
  const { hasEdges, hasFunctions, scenario } = present;
  const edges = hasEdges ? scenario.edges.length : 0;
  const cases: WhatIfCase[] = [usual(presentName, { policy })];
  const isBoth = hasEdges && hasFunctions;
  if (isBoth) cases.push(usual(withoutFunctions, { policy, sees: "edges" }));
  if (isBoth) cases.push(usual(functionsAlone, { policy, sees: "functions" }));
  if (hasEdges) cases.push(usual(oneEdgeMore, { policy, change: { edges: edges + 1 } }));
  if (policy !== "fixed" && isBoth) cases.push(usual(fixedPlan, { policy: "fixed" }));
  const asks = changesOf(options, asked).join(", ");
  if (asks !== "")
    cases.push({
      name: asks.length > mostNameChars ? askedName : asks,
      asks,
      policy: options.policy ?? policy,
      change: {
        ...(options.slo !== undefined && { sloMs: options.slo * 1_000 }),
        ...(asked !== undefined && { sheet: asked }),
        ...(options.edges !== undefined && { edges: options.edges }),
        ...(options.functions !== undefined && { functions: options.functions }),
      },
      sees: "all",
    });
  return cases;
}

/** What was asked for in words; empty for nothing. */
function changesOf(
  { slo, policy, edges, functions }: WhatIfOptions,
  asked: PriceSheet | undefined,
): string[] {
  return [
    ...(policy === undefined ? [] : [`policy ${policy}`]),
    ...(slo === undefined ? [] : [`SLO ${figure(slo)} s`]),
    ...(edges === undefined ? [] : [edges === 1 ? "1 edge" : `${edges} edges`]),
    ...(functions === undefined ? [] : [`functions ${functions.map(({ name }) => name).join("+")}`]),
    ...(asked === undefined ? [] : [`prices ${asked.name}`]),
  ];
}
