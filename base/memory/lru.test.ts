import { expect, it } from "vitest";
import { Lru } from "./lru.ts";

it("drops the entry that was used least recently", () => {
  const cache = new Lru<string, number>(2);
  cache.set("a", 1);
  cache.set("b", 2);
  expect(cache.get("a")).toBe(1);
  cache.set("c", 3);
  expect(cache.get("b")).toBeUndefined();
  cache.set("a", 4);
  cache.set("d", 5);
  expect(cache.get("c")).toBeUndefined();
  expect([...cache.values()]).toEqual([4, 5]);
});
