import * as fc from "fast-check";
import { expect, it } from "vitest";
import { OpenEntries } from "./open-entries.ts";

it("finds each open entry by its number, however many are open and however old one is", () => {
  const step = fc.record({ isArrival: fc.boolean(), pick: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 1, max: 40_000 }), (steps, skip) => {
      const entries = new OpenEntries(() => ({ id: -1, what: "" }));
      const open = new Map<number, string>();
      let next = 0;
      for (const { isArrival, pick } of steps) {
        if (isArrival || open.size === 0) {
          entries.add(next).what = `of ${next}`;
          open.set(next, `of ${next}`);
          next += 1 + (pick % 3 === 0 ? skip : 0);
        } else {
          const id = [...open.keys()][pick % open.size] as number;
          const entry = entries.of(id);
          expect(entry?.what).toBe(open.get(id));
          if (entry !== undefined) entries.delete(entry);
          open.delete(id);
          expect(entries.of(id)).toBeUndefined();
        }
      }
      expect(entries.size).toBe(open.size);
      expect(new Set([...entries.values()].map(({ what }) => what))).toEqual(new Set(open.values()));
    }),
  );
});
