/**
 * A policy of your own on a recorded trace, beside the product's: a minute of arrivals under virtual time, in the
 * world that `world.json` describes.
 *
 *     node examples/07-replay-own-policy.mjs
 *
 * Prints for each policy what a thousand requests cost, and how many were answered within the SLO.
 */
import { fileURLToPath } from "node:url";
import { hasRoom, policyWith, readWorld, replayTrace } from "spillway";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const { trace, scenario, sheet } = readWorld(path("trace.csv"), path("world.json"));

/** To the first target that takes a batch now: the edge, else functions, one request at a time. */
const firstFree = () => ({
  name: "first-free",
  decide: ({ targets, nowMs }) => {
    const target = targets.findIndex((each) => hasRoom(each, nowMs));
    if (target === -1) return { kind: "wait", untilMs: Infinity };
    return { kind: "dispatch", count: 1, target, plannedRows: 1, reason: "full" };
  },
});

for (const policy of [firstFree, policyWith("spillway")]) {
  const options = { trace, scenario, sheet, policy, seed: 1, fromS: 0, toS: Infinity, scale: 1 };
  const { requests, costPer1000, currency, inSloShare } = await replayTrace(options);
  const inSlo = `${(100 * inSloShare).toFixed(1)} % in the SLO`;
  console.log(`${requests} requests: ${costPer1000.toFixed(4)} ${currency} per 1000, ${inSlo}`);
}
