/**
 * Runs swarms of daemons and edges under faults, `npm run swarm -- [FROM [TO]]`: a line for each seed in which a call did not
 * end as it must, and how many calls ended how. In every second swarm models have several owners. The same seeds give the same runs on every machine.
 */
import { checkSwarm } from "../../replay/world/swarm/check-swarm.ts";
import { drawSplitSwarm, drawSwarm } from "../../replay/world/swarm/draw-swarm.ts";
import { runSwarm } from "../../replay/world/swarm/run-swarm.ts";

const [from = 0, to = from + 200] = process.argv.slice(2).map(Number);
const ends = new Map<string, number>();
let [violations, repeated] = [0, 0];
for (let seed = from; seed < to; seed++) {
  const world = seed % 2 === 0 ? drawSwarm(seed) : drawSplitSwarm(seed);
  const run = runSwarm(world);
  for (const { kind, of } of checkSwarm(world, run)) {
    violations++;
    console.log(`seed ${seed}: ${kind}: ${of}`);
  }
  repeated += run.repeated;
  for (const { ends: told, call } of run.stories) {
    const end = told[0]?.end;
    const how = end === undefined ? "nothing" : end.kind === "answered" ? "an answer" : end.code;
    const key = `${call.kind === "job" ? "jobs" : "waiting callers"}: ${how}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
  }
}
for (const [key, count] of [...ends].sort(([a], [b]) => a.localeCompare(b))) console.log(`${key}: ${count}`);
console.log(`${to - from} swarms, ${repeated} requests done twice and noticed, ${violations} violations`);
if (violations > 0) process.exitCode = 1;
