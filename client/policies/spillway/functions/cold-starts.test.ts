import { describe, expect, it } from "vitest";
import { type BatchSent, targetOf } from "../../../../replay/world/batch-sent.ts";
import { poisson, runPolicy, smallSheet, smallWorld } from "../../../../test/support/policy-run.ts";

/** The SLO of 200 ms is shorter than a cold start; the edge takes 333 requests a second. */
function world(sizes?: readonly object[]) {
  return smallWorld({ serverless: { coldStartMs: [600], ...(sizes === undefined ? {} : { sizes }) } });
}

const rowsOf = ({ batch }: BatchSent): number => batch.rows;

describe("functions that start more slowly than the SLO allows", () => {
  it("start with calls of one request each, and serve what overflows once they are warm", () => {
    const { ended, calls } = runPolicy(poisson({ perS: 450, untilMs: 6_000 }), { scenario: world() });
    const cold = calls.filter(({ end }) => end.ok && (end.call?.coldStartMs ?? 0) > 0);
    expect(cold.length).toBeGreaterThan(1);
    expect(cold.map(rowsOf)).toEqual(cold.map(() => 1));
    const later = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 1_500);
    const lost = later.filter(({ outcome }) => outcome !== "served");
    expect(lost.length / later.length).toBeLessThan(0.01);
    expect(calls.some((call) => rowsOf(call) === 4 && call.end.ok)).toBe(true);
  });

  it("are not called while they are cold where that would only cost money", () => {
    // At first the edge is alone. More instances than the overflow needs would be idle later.
    const { calls } = runPolicy(poisson({ perS: 450, untilMs: 6_000 }), { scenario: world() });
    const started = calls.filter(({ end }) => end.ok && (end.call?.coldStartMs ?? 0) > 0).length;
    const busy = calls.filter(({ end }) => end.ok && end.call?.coldStartMs === 0);
    const instances = new Set(busy.map(({ end }) => (end.ok ? end.call?.instance : undefined)));
    expect(instances.size).toBeGreaterThan(started / 2);
  });

  it("are kept by a call now and then, once starting them has lost many requests", () => {
    // The edge takes one of two that come together, and the platform stops an instance before the next two come.
    const scenario = smallWorld({
      sloMs: 100,
      edge: { maxBatch: 1, serviceMs: { "1": [60] } },
      serverless: { coldStartMs: [600], idleMs: 3_000 },
    });
    const seconds = Array.from({ length: 200 }, (_, second) => 1_000 * second);
    const arrivals = seconds.flatMap((atMs) => (atMs % 4_000 === 0 ? [atMs, atMs] : [atMs]));
    const { ended, calls } = runPolicy(arrivals, { scenario });
    const lost = ended.filter(({ outcome }) => outcome !== "served");
    expect(lost.length).toBeGreaterThan(2);
    // The losses are forgotten in the end, so that one more follows now and then.
    expect(lost.filter(({ arrivedAtMs }) => arrivedAtMs > 30_000).length).toBeLessThan(3);
    // Beside those of the other forty pairs, one about every two seconds.
    expect(calls.length).toBeLessThan(150);
  });

  /** Ten requests a second, and every 8 s a burst, of which the edge takes two. Instances stay for 3 s. */
  const burst = Array.from({ length: 10 }, () => 7_995);
  const calm = Array.from({ length: 79 }, (_, nth) => 100 * nth);
  const bursts = Array.from({ length: 20 }, (_, nth) => [...calm, ...burst].map((ms) => 8_000 * nth + ms));
  const burstsWorld = (sizes: readonly object[]) =>
    smallWorld({
      sloMs: 600,
      edge: { maxBatch: 1, serviceMs: { "1": [80] } },
      serverless: { coldStartMs: [800], idleMs: 3_000, sizes },
    });

  it("are kept by as many calls at once as a burst needs", () => {
    const size = { name: "one", memoryMib: 512, maxBatch: 1, serviceMs: { "1": [250] } };
    const { ended } = runPolicy(bursts.flat(), { scenario: burstsWorld([size]) });
    const lost = ended.filter(({ outcome, arrivedAtMs }) => outcome !== "served" && arrivedAtMs > 20_000);
    // With one call at a time one instance is kept, and each burst loses three.
    expect(lost.length / bursts.length).toBeLessThan(1.2);
  });

  it("of a dearer size serve until the planned size is warm", () => {
    const slow = { name: "cheap", memoryMib: 512, maxBatch: 4, serviceMs: { "1": [60], "4": [100] } };
    const fast = { name: "dear", memoryMib: 8_192, maxBatch: 4, serviceMs: { "1": [40], "4": [60] } };
    const { ended, calls } = runPolicy(poisson({ perS: 450, untilMs: 8_000 }), {
      scenario: world([fast, slow]),
    });
    const later = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 2_000);
    expect(later.filter(({ outcome }) => outcome !== "served").length / later.length).toBeLessThan(0.01);
    const late = calls.filter(({ formedAtMs }) => formedAtMs > 4_000);
    expect(late.filter((call) => targetOf(call) === "cheap").length / late.length).toBeGreaterThan(0.9);
  });
});

it("an edge that was measured as too slow for the SLO gets no request, also while no function is warm", () => {
  const scenario = smallWorld({
    edge: { serviceMs: { "1": [250], "8": [400] } },
    serverless: { coldStartMs: [600] },
  });
  const { sent } = runPolicy(poisson({ perS: 20, untilMs: 20_000 }), { scenario });
  expect(sent.length).toBeGreaterThan(100);
  expect(sent.filter(({ place }) => place.target === "edge")).toEqual([]);
});

it("reserves less for a start and a call together than for each, so that calls which start instances hold more", () => {
  const startsMs = [500, 550, 600, 650, 700];
  const times = { "1": [80, 90, 100, 110, 140], "8": [300, 330, 360, 390, 520] };
  const sizes = [{ name: "f", memoryMib: 1_024, maxBatch: 8, serviceMs: times }];
  const scenario = smallWorld({ sloMs: 1_050, serverless: { coldStartMs: startsMs, sizes } });
  const sheet = { ...smallSheet, granularityMs: { cpu: 1_000 } };
  const arrivals = poisson({ perS: 900, untilMs: 1_000 });
  const { calls, lost } = runPolicy(arrivals, { scenario, sheet });
  // A start takes 680 ms at its quantile of 0.9, and a call of six rows 425 at 0.98 with its way: more than the SLO together.
  expect(calls.slice(0, 4).map(rowsOf)).toContain(6);
  // Nothing is known of the losses until the first calls are back, so the others hold less before too much is at risk.
  expect(calls.slice(20, 40).map(rowsOf)).not.toContain(6);
  expect(lost / arrivals.length).toBeLessThan(0.01);
});
