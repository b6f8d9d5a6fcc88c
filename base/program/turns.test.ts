import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("lets a few pieces of work run at once, and the others a few a turn, in their order", async () => {
  const turns = new Turns(2);
  const ran: number[] = [];
  for (let piece = 0; piece < 5; piece++) void turns.take().then(() => ran.push(piece));
  const seen: number[] = [];
  while (ran.length < 5) {
    await nextTurn();
    seen.push(ran.length);
  }
  expect(ran).toEqual([0, 1, 2, 3, 4]);
  // Never more than two came with one turn.
  for (const [index, count] of seen.entries())
    expect(count - (seen[index - 1] ?? 0)).toBeLessThanOrEqual(2 + 2 * Number(index === 0));
  expect(seen.length).toBeGreaterThan(1);
});

it("keeps nobody waiting where little is to be done", async () => {
  const turns = new Turns(2);
  for (let turn = 0; turn < 3; turn++) {
    let hasRun = false;
    void turns.take().then(() => (hasRun = true));
    await Promise.resolve();
    expect(hasRun).toBe(true);
    await nextTurn();
    await nextTurn();
  }
});

it("lets nobody overtake those who wait", async () => {
  const turns = new Turns(1);
  const ran: string[] = [];
  for (const name of ["a", "b", "c"]) void turns.take().then(() => ran.push(name));
  await nextTurn();
  void turns.take().then(() => ran.push("d"));
  await expect.poll(() => ran).toEqual(["a", "b", "c", "d"]);
});
