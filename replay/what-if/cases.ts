/** What is compared with the present plan: the usual questions, and what was asked for. */
import { figure } from "../../base/figures.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import type { ReplayPolicyName } from "../peers/registry.ts";
import type { ModelledWorld, WorldChange } from "./modelled-world.ts";
import type { WhatIfOptions } from "./what-if-options.ts";

export interface WhatIfCase {
  readonly name: string;
  readonly policy: ReplayPolicyName;
  readonly change: WorldChange;
  /** Targets that the policy sees. */
  readonly sees: "all" | "edges" | "functions";
}

export const presentName = "as it was, modelled";
export const withoutFunctions = "without functions";
export const functionsAlone = "functions alone";
export const oneEdgeMore = "one edge more";

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
  const cases: WhatIfCase[] = [{ name: presentName, policy, change: {}, sees: "all" }];
  const isBoth = hasEdges && hasFunctions;
  if (isBoth) cases.push({ name: withoutFunctions, policy, change: {}, sees: "edges" });
  if (isBoth) cases.push({ name: functionsAlone, policy, change: {}, sees: "functions" });
  if (hasEdges) cases.push({ name: oneEdgeMore, policy, change: { edges: edges + 1 }, sees: "all" });
  if (policy !== "fixed" && isBoth)
    cases.push({ name: "fixed plan", policy: "fixed", change: {}, sees: "all" });
  const texts = changesOf(options, asked);
  if (texts.length > 0)
    cases.push({
      name: texts.join(", "),
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
