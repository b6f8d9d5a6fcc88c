import { expect, it } from "vitest";
import { poisson, runPolicy, smallWorld } from "../../../../test/support/policy-run.ts";
import { menuOf, send, tinySize } from "../../../../test/support/tiny-targets.ts";
import type { FunctionModel } from "./function-model.ts";
import { hasRoomToStart } from "./room-to-start.ts";

/** Of ten places, each serves four rows in 175 ms, or in 35 in the fast size, which costs a row as many times as much. */
function sizesOf(dearer: number): readonly FunctionModel[] {
  const fast = tinySize({ name: "fast", costOf: (ms) => 5 * dearer * ms });
  return menuOf([tinySize({ firstMs: 100, rowMs: 25 }), fast]).sizes;
}

it("a size that could not serve the overflow alone has a quarter of the places at most", () => {
  const menu = menuOf([
    tinySize({ firstMs: 100, rowMs: 25 }),
    tinySize({ name: "fast", costOf: (ms) => 5 * ms }),
  ]);
  const [slow, fast] = menu.sizes as [FunctionModel, FunctionModel];
  const may = (size: FunctionModel, perMs: number) => hasRoomToStart(size, menu.sizes, 0, () => perMs);
  for (let call = 0; call < 2; call++) send(menu, 1, 0, 1);
  expect([may(slow, 1), may(fast, 1)]).toEqual([true, true]);
  send(menu, 1, 0, 1);
  expect([may(slow, 1), may(fast, 1)]).toEqual([false, true]);
  // Ten of it are enough for twice that.
  expect([may(slow, 0.11), may(slow, 0.12)]).toEqual([true, false]);
  for (let call = 0; call < 7; call++) send(menu, 1, 0, 2);
  expect([may(slow, 0.1), may(fast, 1)]).toEqual([false, false]);
});

it("the places must be enough for less of the clumps where the faster size is much dearer", () => {
  const [slow] = sizesOf(1) as [FunctionModel];
  const most = (dearer: number): number => {
    const sizes = sizesOf(dearer);
    const [size] = sizes as [FunctionModel];
    for (let id = 0; id < 5; id++) size.called(id, 1, 0, 0);
    let perMs = 0;
    while (hasRoomToStart(size, sizes, 0, () => perMs)) perMs += 0.001;
    return perMs;
  };
  expect(10 * slow.mostPerMs).toBeCloseTo(10 * (4 / 175));
  expect(most(1)).toBeCloseTo(0.115, 2);
  expect(most(10)).toBeCloseTo(0.208, 2);
});

/** Eight places. The cheap size serves 40 a second in all of them, the dear one 200. The edge takes 333. */
const sizes = [
  { name: "cheap", memoryMib: 512, maxBatch: 1, serviceMs: { "1": [180] } },
  { name: "dear", memoryMib: 8_192, maxBatch: 4, serviceMs: { "1": [50], "4": [150] } },
];

it("a volley of first calls to the cheapest size leaves places for one that keeps up", () => {
  const scenario = smallWorld({ serverless: { maxInstances: 8, coldStartMs: [600], sizes } });
  const { ended } = runPolicy(poisson({ perS: 430, untilMs: 10_000 }), { scenario });
  const later = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 3_000);
  expect(later.filter(({ outcome }) => outcome !== "served").length / later.length).toBeLessThan(0.02);
});
