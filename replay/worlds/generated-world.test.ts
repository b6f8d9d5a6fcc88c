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
    expect(arrivalsS.length).toBeGreaterThan(2_000);
    expect(arrivalsS).toEqual(arrivalsS.toSorted((a, b) => a - b));
  }
});

it("lets the load take its course three times, and judges what comes after the first", () => {
  for (const { arrivalsS, judgedFrom, scenario, traits } of worlds) {
    const roundS = (arrivalsS[judgedFrom] as number) - (arrivalsS[0] as number);
    expect(judgedFrom / arrivalsS.length).toBeGreaterThan(0.25);
    expect(judgedFrom / arrivalsS.length).toBeLessThan(0.42);
    expect(arrivalsS.at(-1)).toBeGreaterThan(12);
    // So long that instances which start at once are there for most of the warm-up.
    expect(3 * traits.coldTimes * scenario.sloMs).toBeLessThan(1_000 * roundS);
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
      rounds: 1,
      ratePerS: 50,
      isRegular: false,
    });
    expect(times.length).toBeGreaterThan(1_800);
    expect(times.length).toBeLessThanOrEqual(2_000);
    expect(times.at(-1)).toBeLessThanOrEqual(40);
  }
});

it("repeats a shape with other arrivals at the same rates", () => {
  const times = arrivalTimesS(randomStream(3, "rounds"), {
    shape: "on-off",
    count: 4_000,
    rounds: 2,
    ratePerS: 50,
    isRegular: false,
  });
  const counts = Array.from({ length: 16 }, () => 0);
  for (const atS of times) counts[Math.floor(atS / 5)]!++;
  for (let part = 0; part < 8; part++) {
    const [once, again] = [counts[part] as number, counts[part + 8] as number];
    expect(Math.abs(once - again)).toBeLessThan(5 * Math.sqrt(once + again + 1));
  }
});

it("places regular arrivals evenly", () => {
  const options = { shape: "constant", count: 5, rounds: 1, ratePerS: 10, isRegular: true } as const;
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
