/** Makes a daemon's dashboard of what the daemon is made of. */
import type { FunctionVariant } from "../../../../serverless/prices/function-menu.ts";
import type { SpendStatus } from "../../../targets/spend-cap.ts";
import type { ChosenPolicy } from "../../choices.ts";
import type { DaemonLanes } from "../../lanes.ts";
import type { TargetWatch } from "../../target-watch.ts";
import type { EdgeList } from "../../targets/edge-list.ts";
import type { DaemonOptions } from "../../options.ts";
import { QueueDashboard } from "./queue-dashboard.ts";

export interface DashboardParts {
  readonly options: DaemonOptions;
  readonly chosen: ChosenPolicy;
  readonly lanes: DaemonLanes;
  readonly spend: () => SpendStatus;
  readonly edges: Pick<EdgeList, "live">;
  readonly functions: readonly FunctionVariant[];
  readonly watch: Pick<TargetWatch, "look">;
  readonly catchUp: () => void;
  readonly nowMs: () => number;
}

export function openDashboard(parts: DashboardParts): QueueDashboard {
  const { options, chosen, lanes, spend, edges, functions, watch, catchUp, nowMs } = parts;
  return new QueueDashboard({
    sloMs: options.slo * 1_000,
    sloQuantile: chosen.name === "fixed" ? null : chosen.sloQuantile,
    policy: chosen.name,
    lanes: lanes.slosMs,
    spend,
    targets: () => [
      ...edges.live.map(({ name, url }) => ({ name, kind: "edge" as const, at: url })),
      ...functions.map(({ name, url = options.fcEndpoint }) => ({
        name,
        kind: "serverless" as const,
        at: url,
      })),
    ],
    look: () => watch.look(),
    catchUp,
    nowMs,
  });
}
