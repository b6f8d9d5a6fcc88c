import { expect, it } from "vitest";
import { bestChance } from "./best-chance.ts";
import { type GeneratedWorld, generatedWorld } from "./generated-world.ts";

/** Service times of 10 to 20 ms at the edge and of 20 to 40 ms in functions, each as likely as any other; links take no time. */
function worldWith(sloMs: number): GeneratedWorld {
  const world = generatedWorld(7);
  const { scenario } = world;
  const link = { rttMs: 0, uplinkMbps: 1e9 };
  const at = (...serviceMs: number[]) => ({ maxBatch: 1, serviceMs: { "1": serviceMs } });
  const edge = { ...scenario.edge, link, ...at(10, 20) };
  const [size] = scenario.serverless.sizes;
  const serverless = { ...scenario.serverless, link, sizes: [{ ...size, ...at(20, 40) }] };
  return { ...world, scenario: { ...scenario, edge, serverless, sloMs } };
}

it("says how likely a lone request is in time on the best target", () => {
  expect([9, 12, 19, 21].map((sloMs) => bestChance(worldWith(sloMs)))).toEqual([
    0,
    expect.closeTo(0.2, 4),
    expect.closeTo(0.9, 4),
    1,
  ]);
});

it("counts the link: a round trip, and the upload of the row", () => {
  const near = worldWith(19);
  const far = { ...near.scenario.edge, link: { rttMs: 4, uplinkMbps: 1e9 } };
  expect(bestChance({ ...near, scenario: { ...near.scenario, edge: far } })).toBeCloseTo(0.5, 4);
  const slow = { ...near.scenario.edge, link: { rttMs: 0, uplinkMbps: 1 } };
  const scenario = { ...near.scenario, requestBytes: 500, edge: slow };
  expect(bestChance({ ...near, scenario })).toBeCloseTo(0.5, 4);
});

it("takes functions where they are surer than the edge", () => {
  const { scenario, ...world } = worldWith(40.5);
  const edge = { ...scenario.edge, maxBatch: 1, serviceMs: { "1": [40, 41] } };
  expect(bestChance({ ...world, scenario: { ...scenario, edge } })).toBe(1);
});
