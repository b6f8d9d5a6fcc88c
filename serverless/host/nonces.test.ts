import { expect, it } from "vitest";
import { Nonces } from "./nonces.ts";

it("takes a nonce once within the time that it keeps it, and again after", () => {
  const nonces = new Nonces({ keepMs: 100, maxCount: 10 });
  expect([nonces.isNew("a", 0), nonces.isNew("a", 100), nonces.isNew("b", 100)]).toEqual([true, false, true]);
  expect([nonces.isNew("a", 101), nonces.isNew("b", 101)]).toEqual([true, false]);
});

it("keeps no more than it may, and forgets the oldest first", () => {
  const nonces = new Nonces({ keepMs: 1e6, maxCount: 2 });
  for (const nonce of ["a", "b", "c"]) expect(nonces.isNew(nonce, 0)).toBe(true);
  expect([nonces.isNew("c", 1), nonces.isNew("a", 1)]).toEqual([false, true]);
});

it("refuses a nonce that is too long to be kept", () => {
  expect(new Nonces({ keepMs: 1, maxCount: 2 }).isNew("x".repeat(129), 0)).toBe(false);
});
