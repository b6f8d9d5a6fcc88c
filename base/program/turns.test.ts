import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Pieces of work that take a millisecond each, by a clock of their own. */
function worked(mostMs: number): {
  readonly ran: (number | string)[];
  begin(name: number | string): Promise<void>;
} {
  let nowMs = 0;
  const turns = new Turns(mostMs, () => nowMs);
  const ran: (number | string)[] = [];
  return {
    ran,
    begin: async (name) => {
      const turn = turns.take();
      if (turn !== undefined) await turn;
      nowMs += 1;
      ran.push(name);
    },
  };
}

it("lets pieces of work run for some time at once, and the others as long in each later turn, in their order", async () => {
  const { ran, begin } = worked(2);
  for (let piece = 0; piece < 7; piece++) void begin(piece);
  expect(ran).toEqual([0, 1]);
  const seen: number[] = [];
  while (ran.length < 7) {
    const before = ran.length;
    await nextTurn();
    seen.push(ran.length - before);
  }
  expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(Math.max(...seen)).toBe(2);
});

it("lets one run in each turn that takes longer than all of it", async () => {
  const { ran, begin } = worked(0.1);
  for (let piece = 0; piece < 3; piece++) void begin(piece);
  expect(ran).toEqual([0]);
  await expect.poll(() => ran).toEqual([0, 1, 2]);
});

it("keeps nobody waiting where little is to be done", async () => {
  const { ran, begin } = worked(2);
  for (let turn = 1; turn <= 3; turn++) {
    void begin(turn);
    expect(ran).toHaveLength(turn);
    await nextTurn();
    await nextTurn();
  }
});

it("lets nobody overtake those who wait", async () => {
  const { ran, begin } = worked(1);
  for (const name of ["a", "b", "c"]) void begin(name);
  await nextTurn();
  void begin("d");
  await expect.poll(() => ran).toEqual(["a", "b", "c", "d"]);
});
