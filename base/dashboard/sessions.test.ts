import { expect, it } from "vitest";
import { LoginAttempts, Sessions } from "./sessions.ts";

const hourMs = 3_600_000;

function rig() {
  const world = { nowMs: 0, token: "right" };
  const sessions = new Sessions({ nowMs: () => world.nowMs, mayStay: (secret) => secret === world.token });
  return { world, sessions, open: () => sessions.open("right") as string };
}

it("opens a session for the right secret alone, each with an id of its own", () => {
  const { sessions, open } = rig();
  expect(sessions.open("wrong")).toBeUndefined();
  const [one, two] = [open(), open()];
  expect(one).not.toBe(two);
  expect(one.length).toBeGreaterThanOrEqual(43);
  expect([
    sessions.isOpen(one),
    sessions.isOpen(two),
    sessions.isOpen("guess"),
    sessions.isOpen(undefined),
  ]).toEqual([true, true, false, false]);
});

it("ends a session at logout, and when its secret does not hold any more", () => {
  const { world, sessions, open } = rig();
  const [one, two] = [open(), open()];
  sessions.close(one);
  expect([sessions.isOpen(one), sessions.isOpen(two)]).toEqual([false, true]);
  world.token = "another";
  expect(sessions.isOpen(two)).toBe(false);
  world.token = "right";
  expect(sessions.isOpen(two)).toBe(false);
});

it("keeps a session that is used for a week at most, and one that is not for half a day", () => {
  const { world, sessions, open } = rig();
  const [used, left] = [open(), open()];
  for (let hours = 0; hours < 7 * 24; hours += 11) {
    world.nowMs = hours * hourMs;
    expect(sessions.isOpen(used)).toBe(true);
  }
  expect(sessions.isOpen(left)).toBe(false);
  world.nowMs = (7 * 24 + 1) * hourMs;
  expect(sessions.isOpen(used)).toBe(false);
});

it("holds 64 sessions, and drops the one that was used least lately", () => {
  const { sessions, open } = rig();
  const [first, second] = [open(), open()];
  for (let count = 2; count < 64; count++) open();
  expect(sessions.isOpen(first)).toBe(true);
  open();
  expect([sessions.count, sessions.isOpen(first), sessions.isOpen(second)]).toEqual([64, true, false]);
});

it("lets an address try five wrong tokens, then one in five seconds, and others meanwhile", () => {
  let nowMs = 0;
  const attempts = new LoginAttempts(() => nowMs);
  for (let count = 0; count < 5; count++) {
    expect(attempts.waitMs("a")).toBe(0);
    attempts.failed("a");
  }
  expect(attempts.waitMs("a")).toBeCloseTo(5_000);
  expect(attempts.waitMs("b")).toBe(0);
  nowMs = 5_001;
  expect(attempts.waitMs("a")).toBe(0);
});

it("slows all down when many addresses guess", () => {
  const attempts = new LoginAttempts(() => 0);
  for (let count = 0; count < 50; count++) attempts.failed(`address ${count}`);
  expect(attempts.waitMs("another")).toBeGreaterThan(0);
});
