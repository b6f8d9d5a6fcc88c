import fc from "fast-check";
import { expect, it } from "vitest";
import { OpenList, OpenMap, type OpenPlace } from "./open-list.ts";

it("keeps things in the order in which they came, whichever leave", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (steps) => {
      const list = new OpenList<number>();
      const places: OpenPlace<number>[] = [];
      for (const [item, step] of steps.entries()) {
        const [place] = step < places.length ? places.splice(step, 1) : [];
        if (place === undefined) places.push(list.add(item));
        else {
          expect(list.remove(place)).toBe(true);
          expect(list.remove(place)).toBe(false);
        }
        expect([...list]).toEqual(places.map((each) => each.item));
        expect(list.size).toBe(places.length);
      }
      list.clear();
      expect([list.size, ...list]).toEqual([0]);
      expect(places.every((place) => !list.remove(place))).toBe(true);
    }),
  );
});

it("goes on when the one that was given is removed", () => {
  const list = new OpenList<{ place?: OpenPlace<object> }>();
  for (let made = 0; made < 3; made++) {
    const item: { place?: OpenPlace<object> } = {};
    item.place = list.add(item);
  }
  let met = 0;
  for (const { place } of list) {
    met++;
    list.remove(place as OpenPlace<object>);
  }
  expect([met, list.size]).toEqual([3, 0]);
});

it("finds objects, each with its value", () => {
  const [map, other] = [new OpenMap<object, number>(), new OpenMap<object, number>()];
  const [one, two] = [{}, {}];
  map.set(one, 1);
  map.set(two, 2);
  map.set(one, 3);
  expect([...map]).toEqual([
    [one, 3],
    [two, 2],
  ]);
  expect([map.get(one), map.has(two), other.has(one)]).toEqual([3, true, false]);
  expect([map.delete(one), map.delete(one), map.get(one), map.size]).toEqual([true, false, undefined, 1]);
  map.set(one, 4);
  expect([...map].map(([, value]) => value)).toEqual([2, 4]);
});
