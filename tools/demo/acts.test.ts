import { expect, it } from "vitest";
import type { ProfiledTarget } from "../../client/policies/profile.ts";
import { actHeading, actsOf, arrivalsOf, edgeCapacityPerS, outageOf } from "./acts.ts";

function edgeWith(serviceMs: Record<string, number[]>, replicas = 1): ProfiledTarget {
  const models = { m: { requestBytes: 1, maxBatch: 1, serviceMs } };
  return {
    kind: "edge",
    name: "edge",
    replicas,
    link: { rttMs: 1, uplinkMbps: 100 },
    coldStartMs: [],
    models,
  };
}

it("plays calm, busy, burst and outage one after another, and shortens all alike", () => {
  const [minute, short] = [actsOf(60), actsOf(12)];
  expect(minute.map(({ name, load }) => `${name} ${load}`)).toEqual([
    "calm 0.3",
    "busy 0.8",
    "burst 3",
    "outage 0.5",
  ]);
  for (const [index, { fromS, toS }] of minute.entries()) {
    expect(fromS).toBe(index === 0 ? 0 : minute[index - 1]?.toS);
    expect(short[index]?.fromS).toBeCloseTo(fromS / 5);
    expect(short[index]?.toS).toBeCloseTo(toS / 5);
  }
  expect(minute.at(-1)?.toS).toBeCloseTo(60);
});

it("kills and restarts the edge within the last act, and leaves time for it to be used again", () => {
  const acts = actsOf(60);
  const { killedAtS, restartedAtS } = outageOf(acts);
  expect(killedAtS).toBeGreaterThan(acts.at(-1)?.fromS as number);
  expect(restartedAtS).toBeGreaterThan(killedAtS);
  expect(60 - restartedAtS).toBeGreaterThan(15);
});

it("takes the edge's capacity from its best batch of those that take half the SLO at most", () => {
  const edge = edgeWith({ 1: [120], 8: [390, 410], 16: [640] });
  expect(edgeCapacityPerS([edge], "m", 1_000)).toBeCloseTo(20);
  expect(edgeCapacityPerS([edge], "m", 2_000)).toBeCloseTo(25);
  expect(edgeCapacityPerS([edgeWith({ 1: [120], 8: [400] }, 2)], "m", 1_000)).toBeCloseTo(40);
  expect(edgeCapacityPerS([edge], "m", 100)).toBeCloseTo(25);
  expect(edgeCapacityPerS([edge, edgeWith({ 1: [100] })], "m", 1_000)).toBeCloseTo(30);
  expect(() => edgeCapacityPerS([], "m", 1_000)).toThrow("targets hold no edge");
});

it("sends each act's share of what the edge takes, in order, the same for the same seed", () => {
  const acts = actsOf(600);
  const momentsS = arrivalsOf(acts, 20, 1);
  expect(momentsS[0]).toBe(0);
  expect(momentsS).toEqual(momentsS.toSorted((a, b) => a - b));
  for (const { load, fromS, toS } of acts) {
    const count = momentsS.filter((atS) => atS >= fromS && atS < toS).length;
    expect(count / (toS - fromS) / 20 / load).toBeGreaterThan(0.9);
    expect(count / (toS - fromS) / 20 / load).toBeLessThan(1.1);
  }
  expect(arrivalsOf(acts, 20, 1)).toEqual(momentsS);
  expect(arrivalsOf(acts, 20, 2)).not.toEqual(momentsS);
});

it("names each act with its rate", () => {
  expect(actHeading(actsOf(60), 1, 20)).toBe(
    "act 2 of 4, busy: 16.0 requests/s, 0.8 of what the edge can take",
  );
  expect(actHeading(actsOf(60), 2, 20, 2)).toContain("3 times what the edges can take");
  expect(actHeading(actsOf(60), 2, 20)).toBe(
    "act 3 of 4, burst: 60.0 requests/s, 3 times what the edge can take",
  );
});
