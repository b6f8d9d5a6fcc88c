import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { InjectedFaults, type InjectedFault } from "./injected-faults.ts";

function faultsAt(seed = 7) {
  let nowMs = 0;
  const faults = new InjectedFaults(seededRandom(seed), () => nowMs);
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { faults, advance };
}

it("does nothing to calls without a fault", () => {
  expect(faultsAt().faults.draw("f")).toEqual({ throttled: false, cold: false, call: undefined });
});

it("hits about the given share of calls, and the same ones with the same seed", () => {
  const hits = (seed: number): boolean[] => {
    const { faults } = faultsAt(seed);
    faults.add({ throttle: 0.3 }, 1_000);
    return Array.from({ length: 1_000 }, () => faults.draw("f").throttled);
  };
  const first = hits(7);
  expect(first.filter(Boolean).length).toBeGreaterThan(250);
  expect(first.filter(Boolean).length).toBeLessThan(350);
  expect(hits(7)).toEqual(first);
  expect(hits(8)).not.toEqual(first);
});

it("adds up what several faults make a call take longer", () => {
  const { faults } = faultsAt();
  faults.add({ slow: { factor: 3 } }, 1_000);
  faults.add({ slow: { ms: 5 }, function: "f" }, 1_000);
  faults.add({ slow: { ms: 100 }, function: "g" }, 1_000);
  expect(faults.draw("f").call?.extraMs(10)).toBe(25);
  expect(faults.draw("h").call?.extraMs(10)).toBe(20);
});

it("ends a fault at its time, and all when told to", () => {
  const { faults, advance } = faultsAt();
  const [short, long]: InjectedFault[] = [{ cold: "every" }, { crash: 1 }];
  faults.add(short!, 100);
  faults.add(long!, 200);
  advance(99);
  expect(faults.draw("f")).toMatchObject({ cold: true, call: { crash: true } });
  advance(1);
  expect(faults.list()).toEqual([{ fault: long, leftMs: 100 }]);
  faults.clear();
  expect(faults.draw("f").call).toBeUndefined();
});

it("takes no more than it can list", () => {
  const { faults, advance } = faultsAt();
  for (let count = 0; count < 20; count += 1) faults.add({ crash: 0 }, 10);
  expect(() => faults.add({ crash: 0 }, 10)).toThrow(RangeError);
  advance(10);
  faults.add({ crash: 0 }, 10);
  expect(faults.list()).toHaveLength(1);
});
