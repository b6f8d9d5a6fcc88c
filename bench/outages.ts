/**
 * Writes `docs/reference/outages.md`: what becomes of requests while a target fails, and in overload, under the policies that
 * a daemon can run and the edge alone. Everything runs in virtual time, so the page is the same on every machine.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fixedPolicy } from "../client/policies/fixed.ts";
import type { Policy } from "../client/policies/policy.ts";
import { profiledTargets } from "../client/policies/profiled-targets.ts";
import { seededRandom } from "../base/random.ts";
import { medianOf } from "../base/quantile.ts";
import { goodputLimit, mostAnswered } from "../replay/outages/goodput-limit.ts";
import { livenessViolations } from "../replay/outages/liveness.ts";
import { type OutageRun, runOutages, spillwayFor } from "../replay/outages/outage-run.ts";
import type { OutageWorld } from "../replay/outages/outage-world.ts";
import { edgeOnlyPolicy } from "../replay/peers/edge-only.ts";
import {
  edge,
  edgeOutages,
  functionOutages,
  type OutageKind,
  outageSpan,
  outageWorld,
  overloadFactors,
  overloadSloMs,
  overloadSpan,
  overloadWorld,
  rates,
  slos,
  small,
} from "./outage-cases.ts";
import { type OutageCell, type OutageRow, outagesPage, type OverloadRow } from "./outages-page.ts";

/** Small overloads for which every schedule is tried. */
const oracleCases = 300;
const oracleRequests = 8;

const policies: Readonly<Record<string, (world: OutageWorld) => Policy | undefined>> = {
  spillway: () => undefined,
  "edge-only": (world) => {
    const from = spillwayFor(world);
    return edgeOnlyPolicy({ targets: profiledTargets(from.targets, "m", from.prices) });
  },
  fixed: ({ targets, sloMs }) =>
    fixedPolicy({ batchRows: targets.map(({ kind }) => (kind === "edge" ? 8 : 2)), timeoutMs: 0.4 * sloMs }),
};

/** Of the requests that arrived in [fromMs, toMs). */
function figuresOf(world: OutageWorld, run: OutageRun, fromMs = 0, toMs = Infinity): OutageCell {
  const judged = world.arrivals.flatMap(({ atMs }, id) => (atMs >= fromMs && atMs < toMs ? [id] : []));
  const latencies = judged.flatMap((id) => {
    const { outcome, atMs } = run.ends[id] as OutageRun["ends"][number];
    return outcome === "served" ? [atMs - (world.arrivals[id]?.atMs ?? 0)] : [];
  });
  return {
    requests: judged.length,
    inTime: latencies.length,
    medianMs: latencies.length === 0 ? undefined : medianOf(latencies),
    costPer1000: (1_000 * run.cost) / world.arrivals.length,
  };
}

function outageRows(kinds: readonly OutageKind[], names: readonly string[]): OutageRow[] {
  return kinds.flatMap((kind) =>
    rates.flatMap((perS) =>
      slos.map((sloMs) => {
        const world = outageWorld(kind, perS, sloMs);
        const { fromMs } = outageSpan(perS);
        const cells = names.map((name) => {
          const run = runOutages(world, policies[name]?.(world));
          const lostForNothing = livenessViolations(world, run).length;
          return { ...figuresOf(world, run, fromMs), lostForNothing };
        });
        return { outage: kind.name, perS, sloMs, cells };
      }),
    ),
  );
}

function overloadRows(): OverloadRow[] {
  const queues = [
    { name: "edge-only", targets: [edge], policy: "edge-only" },
    { name: "fixed", targets: [edge], policy: "fixed" },
    { name: "spillway", targets: [edge], policy: "spillway" },
    { name: "spillway with functions", targets: [edge, { ...small, places: 1_000 }], policy: "spillway" },
  ];
  const { fromMs, toMs } = overloadSpan;
  return overloadFactors.map((factor) => {
    const cells = queues.map(({ targets, policy }) => {
      const world = overloadWorld(targets, factor);
      const run = runOutages(world, policies[policy]?.(world));
      const burst = {
        ...world,
        arrivals: world.arrivals.filter(({ atMs }) => atMs >= fromMs && atMs < toMs),
      };
      const lostAtMs = world.arrivals.filter(({ atMs }, id) => {
        return atMs >= toMs && run.ends[id]?.outcome !== "served";
      });
      const recoveredAtMs = lostAtMs.at(-1)?.atMs ?? toMs;
      const limit = goodputLimit(burst);
      return { ...figuresOf(world, run, fromMs, toMs), limit, recoveredAfterMs: recoveredAtMs - toMs };
    });
    return { factor, cells };
  });
}

/** Requests of small cases that are answered in time, and the most that any schedule answers. */
function smallCases(): { readonly own: number; readonly best: number } {
  const random = seededRandom(1);
  let [own, best] = [0, 0];
  for (let run = 0; run < oracleCases; run++) {
    let atMs = 0;
    const sloMs = 80 + Math.floor(150 * random());
    const arrivals = Array.from({ length: oracleRequests }, () => {
      atMs += Math.floor(20 * random());
      return { atMs, rows: 1, sloMs, key: "m []" };
    });
    const target = { ...edge, firstRowMs: 10 + Math.floor(50 * random()), maxBatch: 4 };
    best += mostAnswered(target, arrivals);
    const { ends } = runOutages({ sloMs, targets: [target], arrivals, stalls: [] });
    own += ends.filter(({ outcome }) => outcome === "served").length;
  }
  return { own, best };
}

const names = Object.keys(policies);
const alone = names.filter((name) => name !== "edge-only");
const page = outagesPage({
  names,
  alone,
  edge: outageRows(edgeOutages, names),
  functions: outageRows(functionOutages, alone),
  overload: overloadRows(),
  overloadSloMs,
  smallCases: { ...smallCases(), cases: oracleCases, requests: oracleRequests },
});
const file = fileURLToPath(new URL("../../docs/reference/outages.md", import.meta.url));
writeFileSync(file, page);
execFileSync("npx", ["oxfmt", file]);
