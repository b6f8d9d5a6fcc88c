import { expect, it } from "vitest";
import { SizedLru } from "./sized-lru.ts";

const bounds = { mostEntries: 3, mostBytes: 10, bytesOf: (value: string) => value.length };

it("drops what was used least recently beyond its entries or its bytes", () => {
  const map = new SizedLru<string, string>(bounds);
  for (const key of ["a", "b", "c"]) map.set(key, "xx");
  map.get("a");
  map.set("d", "xx");
  expect(["a", "b", "c", "d"].map((key) => map.get(key))).toEqual(["xx", undefined, "xx", "xx"]);
  map.set("e", "12345678");
  expect(["a", "c", "d", "e"].map((key) => map.get(key))).toEqual([undefined, undefined, "xx", "12345678"]);
  expect(map.bytes).toBe(10);
});

it("counts an entry that is replaced or deleted once, and keeps none that is too large", () => {
  const map = new SizedLru<string, string>(bounds);
  map.set("a", "12345");
  map.set("a", "12");
  expect(map.bytes).toBe(2);
  map.set("a", "12345678901");
  expect([map.get("a"), map.bytes]).toEqual([undefined, 0]);
  map.set("b", "1");
  map.delete("b");
  expect(map.bytes).toBe(0);
});
