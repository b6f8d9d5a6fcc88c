/** What the log says of a daemon as it starts. */
import type { Logger } from "pino";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import type { ChosenPolicy, EdgeAddress } from "./choices.ts";
import type { DaemonOptions } from "./options.ts";
import type { TargetReport } from "./target-watch.ts";

/** The policy, and the targets that it has. */
export function logPolicy(
  {
    options,
    chosen,
    edges,
    functions,
  }: {
    readonly options: DaemonOptions;
    readonly chosen: ChosenPolicy;
    readonly edges: readonly EdgeAddress[];
    readonly functions: readonly FunctionVariant[];
  },
  log: Logger,
): void {
  const { name, ...figures } = chosen;
  const places = { edge: placesOf(edges) || "none", functions: functions.map(placeOf(options)) };
  log.info({ ...places, sloS: options.slo, ...figures }, `policy ${name}`);
}

/** One line for each target, so that a log says with what the daemon started. */
export function logTarget({ isReachable, ...report }: TargetReport, log: Logger): void {
  const { name: target, kind, at, why, models, measured, assumed } = report;
  const facts = { target, kind, at, ...(why !== undefined && { why }), models, measured, assumed };
  if (isReachable === false) log.warn(facts, "target cannot be reached");
  else log.info(facts, isReachable === true ? "target can be reached" : "target was not called yet");
}

function placesOf(edges: readonly EdgeAddress[]): string {
  if (edges.length === 1) return edges[0]?.url ?? "";
  return edges.map(({ name, url }) => `${name} at ${url}`).join(", ");
}

function placeOf({ fcEndpoint }: DaemonOptions): (each: FunctionVariant) => string {
  return ({ name, vcpu, memoryMib, url }) =>
    `${name} (${vcpu} vCPU, ${memoryMib} MiB) at ${url ?? fcEndpoint}`;
}
