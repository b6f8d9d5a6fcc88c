/** How likely a request of a world is in time at all: what limits each policy that does not know how long a batch will take. */
import { Link } from "../world/link.ts";
import { parseScenario } from "../world/scenario.ts";
import type { GeneratedWorld } from "./generated-world.ts";

/** Halvings in the search for a probability: it is right to a part in a million. */
const halvings = 20;

/**
 * The largest chance, from 0 to 1, that a batch meets the SLO: sent on arrival over a free link to an idle and warm target, the
 * best of all targets and batch sizes. A policy decides before the time of a batch is drawn, so none can expect a larger share in time.
 *
 * @example
 * bestChance(generatedWorld(7)); // 1
 */
export function bestChance({ scenario: file }: GeneratedWorld): number {
  const { edges, serverless, sloMs, requestBytes } = parseScenario(JSON.stringify(file), file.name);
  const targets = [...edges, ...serverless.sizes.map(({ service }) => ({ service, link: serverless.link }))];
  let best = 0;
  for (const { link: spec, service } of targets)
    for (let rows = 1; rows <= service.maxRows; rows++) {
      const link = new Link({ ...spec, rowBytes: requestBytes }, () => 1);
      const leftMs = sloMs - link.upload(0, rows).reachMs - link.oneWayMs;
      best = Math.max(
        best,
        partWithin(leftMs, (u) => service.quantileMs(rows, u)),
      );
    }
  return best;
}

/** The part of the times that are at most so long. */
function partWithin(mostMs: number, quantileMs: (u: number) => number): number {
  if (quantileMs(0) > mostMs) return 0;
  if (quantileMs(1) <= mostMs) return 1;
  let [within, beyond] = [0, 1];
  for (let nth = 0; nth < halvings; nth++) {
    const middle = (within + beyond) / 2;
    if (quantileMs(middle) <= mostMs) within = middle;
    else beyond = middle;
  }
  return within;
}
