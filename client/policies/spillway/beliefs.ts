/** What the policy takes its edges and functions to be like at present, for people who ask. */
import type { Beliefs, TargetBelief } from "../policy.ts";
import type { EdgeSide } from "./edge-side.ts";
import type { SpillwayState } from "./spillway-state.ts";

export function beliefsOf({ edges, menu, planner }: SpillwayState): Beliefs {
  return {
    targets: [...edges.map(edgeBelief), ...menu.sizes.map(({ belief }) => belief)],
    aloneCost: () => planner.aloneCost(),
  };
}

function edgeBelief({ choice, schedule: { model } }: EdgeSide): TargetBelief {
  const { service, profile, edge, marginMs } = model;
  const { slowness } = service;
  const rows = choice.bestRows;
  return {
    name: profile.name,
    rows,
    serviceMs: (service.meanMs[rows] as number) * slowness,
    oneRowMs: (service.meanMs[1] as number) * slowness,
    rttMs: edge.link.rttMs,
    rowUploadMs: model.uploadMs(1),
    marginMs,
    slowness,
    isMeasured: profile.isAssumed !== true || !service.isGuess,
  };
}
