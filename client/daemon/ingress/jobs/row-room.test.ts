import { expect, it } from "vitest";
import { RowRoom } from "./row-room.ts";

const never = new AbortController().signal;

it("gives room in the order in which it was asked for", async () => {
  const room = new RowRoom(4);
  const order: string[] = [];
  const take = async (name: string, rows: number): Promise<void> => {
    expect(await room.take(rows, never)).toBe(true);
    order.push(name);
  };
  const all = [take("a", 3), take("large", 4), take("small", 1)];
  await Promise.resolve();
  expect(order).toEqual(["a"]);
  room.give(3);
  await all[1];
  expect(order).toEqual(["a", "large"]);
  room.give(4);
  await Promise.all(all);
  expect(order).toEqual(["a", "large", "small"]);
});

it("gives all of it to who wants more than there is, and gets it back", async () => {
  const room = new RowRoom(2);
  expect(await room.take(100, never)).toBe(true);
  const later = room.take(1, never);
  room.give(100);
  expect(await later).toBe(true);
  expect(await room.take(1, never)).toBe(true);
});

it("lets go who no longer waits, and whom that one held up", async () => {
  const room = new RowRoom(2);
  await room.take(1, never);
  const leaving = new AbortController();
  const large = room.take(2, leaving.signal);
  const small = room.take(1, never);
  leaving.abort();
  expect(await large).toBe(false);
  expect(await small).toBe(true);
  expect(await room.take(1, leaving.signal)).toBe(false);
});
