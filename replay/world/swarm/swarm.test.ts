import { describe, expect, it } from "vitest";
import { checkSwarm, type SwarmViolation } from "./check-swarm.ts";
import { drawSplitSwarm, drawSwarm } from "./draw-swarm.ts";
import { runSwarm } from "./run-swarm.ts";
import { safeRules, type SwarmRules, type SwarmWorld } from "./swarm-world.ts";

const seeds = [0, 1, 6, 7, 12, 15];

/** What is wrong in the world of a seed, or a given one, when daemons leave out a rule. */
function seenWithout(rule: keyof SwarmRules, from: number | SwarmWorld): SwarmViolation["kind"][] {
  const world = typeof from === "number" ? drawSwarm(from) : from;
  return checkSwarm(world, runSwarm(world, { ...safeRules, [rule]: false })).map(({ kind }) => kind);
}

/** Jobs wait, because there is no edge for long, when their owner is stopped; the next owner is killed later. */
function handedOverTwice(): SwarmWorld {
  const well = { kills: [], stalls: [], cuts: [], oneWayMs: 1 };
  const daemon = { ...well, name: "first", stalls: [{ fromMs: 2_000, toMs: 7_000 }] };
  const other = { ...well, name: "second", oneWayMs: 3, kills: [{ fromMs: 9_000, toMs: 10_000 }] };
  const calls = Array.from({ length: 20 }, (_, content) => {
    return { atMs: 1_000 + content, daemon: 0, model: "m", kind: "job" as const, content };
  });
  const daemons = [daemon, other];
  return {
    seed: 0,
    sloMs: 1_000,
    models: ["m"],
    server: { ...well, name: "server" },
    daemons,
    edges: [],
    calls,
    quietMs: 40_000,
  };
}

describe("a swarm under kills, stops, cuts and restarts of its server", { tags: ["slow"] }, () => {
  it.each(seeds)("ends every call exactly once and rightly, seed %i", (seed) => {
    const world = drawSwarm(seed);
    expect(checkSwarm(world, runSwarm(world))).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6])(
    "does so while models have several owners, and other numbers of them, seed %i",
    (seed) => {
      const world = drawSplitSwarm(seed);
      expect(checkSwarm(world, runSwarm(world))).toEqual([]);
    },
  );

  it("runs the same from the same seed", () => {
    expect(runSwarm(drawSwarm(3))).toEqual(runSwarm(drawSwarm(3)));
  });
});

describe("a model that is handed over twice", () => {
  it("loses none of the jobs that wait", () => {
    const world = handedOverTwice();
    expect(checkSwarm(world, runSwarm(world))).toEqual([]);
  });
});

describe("the checker", { tags: ["slow"] }, () => {
  it("sees a request lost by whoever acknowledges it before its result is stored", () => {
    expect(seenWithout("acksAfterResult", 11)).toContain("lost");
  });

  it("sees two owners who both believe that their result counts", () => {
    expect(seenWithout("expectsNoResult", 12)).toContain("done twice unnoticed");
  });

  it("sees a caller whom nobody tells that its deadline has passed", () => {
    expect(seenWithout("watchesDeadlines", 3)).toContain("left waiting");
  });

  it("sees the answer to another request under an id that was used before a restart", () => {
    expect(seenWithout("hasUniqueIds", 1)).toContain("wrong answer");
  });

  it("sees requests that wait in a part which no owner takes", () => {
    expect(seenWithout("takesEveryPart", drawSplitSwarm(1))).toContain("lost");
  });

  it("sees a request that a former owner acknowledges instead of giving it back", () => {
    expect(seenWithout("givesBack", handedOverTwice())).toContain("lost");
  });
});
