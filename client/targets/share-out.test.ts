import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OwnerOffer, partOf, shareOut, type Split } from "./share-out.ts";

function offer(name: string, edges: readonly string[], capacity = 1): OwnerOffer {
  return { name, edges: new Map(edges.map((edge) => [edge, capacity])) };
}

const names = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const worlds = fc
  .record({
    edges: fc.integer({ min: 0, max: 12 }),
    offers: fc.array(
      fc.record({
        name: fc.uuid(),
        reach: fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 12 }),
        capacity: fc.integer({ min: 1, max: 8 }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    owners: fc.integer({ min: 1, max: 8 }),
    times: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ edges, offers, owners, times }) => ({
    split: { owners, parts: owners * times },
    offers: offers.map(({ name, reach, capacity }) =>
      offer(
        name,
        reach.filter((edge) => edge < edges).map((edge) => `e${edge}`),
        capacity,
      ),
    ),
  }));

describe("the shares of several owners", () => {
  it("give each part one owner, each edge at most one that reaches it, and each owner something of both", () => {
    fc.assert(
      fc.property(worlds, ({ split, offers }) => {
        const shares = [...shareOut("m", split, offers).values()];
        expect(shares.flatMap(({ parts }) => parts).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: split.parts }, (_, part) => part),
        );
        const edges = shares.flatMap((share) => share.edges);
        expect(new Set(edges).size).toBe(edges.length);
        expect(shares.length).toBeLessThanOrEqual(split.owners);
        const some = offers.some((each) => each.edges.size > 0);
        for (const share of shares) {
          const own = offers.find(({ name }) => name === share.name) as OwnerOffer;
          for (const edge of share.edges) expect(own.edges.has(edge)).toBe(true);
          expect(share.parts.length).toBeGreaterThan(0);
          if (some) expect(share.edges.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("are the same in whatever order the offers come", () => {
    fc.assert(
      fc.property(worlds, ({ split, offers }) => {
        const turned = offers.toReversed().map(({ name, edges }) => {
          return { name, edges: new Map([...edges].toReversed()) };
        });
        const [shares, again] = [shareOut("m", split, offers), shareOut("m", split, turned)];
        expect(Object.fromEntries(again)).toEqual(Object.fromEntries(shares));
      }),
    );
  });

  it("leave no edge idle that all owners reach", () => {
    const edges = names(5, "e");
    for (let owners = 1; owners <= 8; owners++) {
      const offers = names(8, "d").map((name) => offer(name, edges));
      const shares = [...shareOut("m", { owners, parts: 4 * owners }, offers).values()];
      expect(shares.flatMap((share) => share.edges).toSorted()).toEqual(edges);
      expect(shares.length).toBe(Math.min(owners, 5));
      const counts = shares.map((share) => share.edges.length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it("give parts in proportion to the capacity of the edges", () => {
    const offers = [
      { name: "a", edges: new Map([["big", 6]]) },
      { name: "b", edges: new Map([["small", 2]]) },
    ];
    const shares = shareOut("m", { owners: 2, parts: 8 }, offers);
    expect([shares.get("a")?.parts.length, shares.get("b")?.parts.length]).toEqual([6, 2]);
  });

  it("choose an owner that alone reaches an edge before one whose edges others reach", () => {
    const offers = [offer("a", ["x"]), offer("b", ["x"]), offer("c", ["y"])];
    const shares = shareOut("m", { owners: 2, parts: 8 }, offers);
    expect([...shares.values()].flatMap(({ edges }) => edges).toSorted()).toEqual(["x", "y"]);
  });

  it("share the parts alone where there are no edges", () => {
    const shares = shareOut("m", { owners: 2, parts: 8 }, [offer("a", []), offer("b", []), offer("c", [])]);
    expect([...shares.values()].map(({ parts }) => parts.length)).toEqual([4, 4]);
  });

  it("move few edges from an old owner to another old one when one joins", () => {
    let [moved, stayed] = [0, 0];
    for (let world = 0; world < 50; world++) {
      const edges = names(32, `w${world}-e`);
      const offers = names(5, `w${world}-d`).map((name) => offer(name, edges));
      const split: Split = { owners: 5, parts: 20 };
      const [before, after] = [shareOut("m", split, offers.slice(1)), shareOut("m", split, offers)];
      for (const { name, edges: own } of after.values())
        for (const edge of own) {
          if (name === offers[0]?.name) continue;
          if (before.get(name)?.edges.includes(edge)) stayed++;
          else moved++;
        }
    }
    expect(moved / (moved + stayed)).toBeLessThan(0.25);
  });
});

it("spread requests evenly over the parts", () => {
  const counts = Array.from({ length: 8 }, () => 0);
  for (let id = 0; id < 8_000; id++)
    counts[partOf(`request ${id}`, 8)] = 1 + (counts[partOf(`request ${id}`, 8)] ?? 0);
  expect(Math.min(...counts)).toBeGreaterThan(850);
  expect(Math.max(...counts)).toBeLessThan(1_150);
});
