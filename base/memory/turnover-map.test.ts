import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { TurnoverMap } from "./turnover-map.ts";

it("does what a Map does", () => {
  const step = fc.tuple(fc.constantFrom("set", "delete", "get"), fc.nat(60));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const [own, map] = [new TurnoverMap<number, number>(), new Map<number, number>()];
      for (const [index, [what, key]] of steps.entries()) {
        if (what === "set") [own, map].forEach((each) => each.set(key, index));
        else if (what === "delete") expect(own.delete(key)).toBe(map.delete(key));
        else expect([own.get(key), own.has(key)]).toEqual([map.get(key), map.has(key)]);
        expect(own.size).toBe(map.size);
      }
      expect([...own]).toEqual([...map]);
      expect([...own.keys()]).toEqual([...map.keys()]);
      expect([...own.values()]).toEqual([...map.values()]);
      own.clear();
      expect([own.size, ...own]).toEqual([0]);
    }),
  );
});

/** Counts full collections while many objects pass through a map that is old itself. In a process whose heap is new. */
const countCollections = (module: string): string => `
  const { GCProfiler } = await import("node:v8");
  const { TurnoverMap } = await import("${module}");
  const numbers = Array.from({ length: 60 }, (_, index) => index);
  const fullCollections = (map) => {
    const kept = [];
    map.set(-1, {});
    for (let made = 0; made < 300_000; made++) kept[made % 8] = numbers.slice();
    const profiler = new GCProfiler();
    profiler.start();
    for (let at = 0; at < 400_000; at++) {
      map.set(at, numbers.slice());
      map.delete(at - 64);
    }
    return profiler.stop().statistics.filter(({ gcType }) => gcType !== "Scavenge").length;
  };
  console.log(JSON.stringify({ own: fullCollections(new TurnoverMap()), ofMap: fullCollections(new Map()) }));
`;

it("lets what passes through be freed while it is young, which a Map does not", { tags: ["slow"] }, () => {
  const module = new URL("../../dist/base/memory/turnover-map.js", import.meta.url);
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", countCollections(module.href)]);
  const { own, ofMap } = JSON.parse(said.toString());
  expect(own).toBeLessThan(ofMap / 3);
});
