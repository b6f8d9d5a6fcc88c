import { expect, it } from "vitest";
import { parseScenario } from "../world/scenario.ts";
import { randomStream } from "../traces/random-stream.ts";
import { octaves, oneOf } from "./draw.ts";
import { generatedWorld } from "./generated-world.ts";
import { arrivalTimesS, rateShapes } from "./world-arrivals.ts";

const worlds = Array.from({ length: 300 }, (_, seed) => generatedWorld(seed));

it("draws the same world from the same seed, and another one from the next", () => {
  expect(generatedWorld(7)).toEqual(worlds[7]);
  expect(generatedWorld(8).arrivalsS).not.toEqual(worlds[7]?.arrivalsS);
});

it("draws scenarios that the replay takes, with requests in order and at most 3,000", () => {
  for (const { scenario, arrivalsS } of worlds) {
    const { edges, serverless } = parseScenario(JSON.stringify(scenario), scenario.name);
    expect(edges[0]?.replicas).toBeLessThanOrEqual(4);
    expect(serverless.sizes.length).toBeLessThanOrEqual(4);
    expect(arrivalsS.length).toBeLessThanOrEqual(3_000);
    expect(arrivalsS.length).toBeGreaterThan(200);
    expect(arrivalsS).toEqual(arrivalsS.toSorted((a, b) => a - b));
  }
});

it("draws SLOs from half of an edge's service time to 20 times, and cold starts and uplinks of every size", () => {
  const drawn = (of: (world: (typeof worlds)[number]) => number): number[] =>
    worlds.map(of).sort((a, b) => a - b);
  const sloTimes = drawn(({ traits }) => traits.sloTimes);
  expect(sloTimes[0]).toBeLessThan(0.7);
  expect(sloTimes.at(-1)).toBeGreaterThan(15);
  const coldTimes = drawn(({ traits }) => traits.coldTimes);
  expect(coldTimes[0]).toBeLessThan(0.1);
  expect(coldTimes.at(-1)).toBeGreaterThan(8);
  const uplinks = drawn(({ scenario }) => scenario.serverless.link.uplinkMbps);
  expect(uplinks[0]).toBeGreaterThanOrEqual(2);
  expect(uplinks.at(-1)).toBeLessThanOrEqual(1_000);
});

it("places as many arrivals as asked for, in every shape of the rate", () => {
  for (const shape of rateShapes) {
    const times = arrivalTimesS(randomStream(1, shape), {
      shape,
      count: 2_000,
      ratePerS: 50,
      isRegular: false,
    });
    expect(times.length).toBeGreaterThan(1_800);
    expect(times.length).toBeLessThanOrEqual(2_000);
    expect(times.at(-1)).toBeLessThanOrEqual(40);
  }
});

it("places regular arrivals evenly", () => {
  const options = { shape: "constant", count: 5, ratePerS: 10, isRegular: true } as const;
  expect(arrivalTimesS(randomStream(1, "even"), options)).toEqual([0.05, 0.15, 0.25, 0.35, 0.45]);
});

it("draws within bounds", () => {
  const random = randomStream(1, "draws");
  const drawn = Array.from({ length: 1_000 }, () => octaves(random, 2, 20));
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(2);
  expect(Math.max(...drawn)).toBeLessThanOrEqual(20);
  expect(drawn.filter((value) => value < 4).length).toBeGreaterThan(180);
  expect(["a", "b"]).toContain(oneOf(random, ["a", "b"]));
});
