import fc from "fast-check";
import { expect, it } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

it("lets things happen in order of their time, and of their scheduling where times are equal", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10), { maxLength: 100 }), (times) => {
      const clock = new VirtualClock();
      const happened: (readonly [number, number])[] = [];
      for (const [index, atMs] of times.entries()) {
        clock.schedule(atMs, () => {
          expect(clock.nowMs()).toBe(atMs);
          happened.push([atMs, index]);
        });
      }
      clock.runAll();
      expect(happened).toEqual(
        times.map((atMs, index) => [atMs, index] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]),
      );
    }),
  );
});

it("fires a timer once at its last setting, and not at all when it was cleared", () => {
  const clock = new VirtualClock();
  const fired: number[] = [];
  const timer = clock.createTimer(() => fired.push(clock.nowMs()));
  timer.setAt(5);
  timer.setAt(9);
  clock.advanceTo(20);
  timer.setAt(30);
  timer.clear();
  clock.advanceTo(40);
  expect(fired).toEqual([9]);
});

it("never goes back: what is scheduled in the past happens now", () => {
  const clock = new VirtualClock();
  clock.advanceTo(10);
  let atMs = -1;
  clock.schedule(3, () => {
    atMs = clock.nowMs();
  });
  expect(atMs).toBe(-1);
  clock.advanceTo(10);
  expect(atMs).toBe(10);
});

it("fires timers after everything else of their moment, and not before an event from outside at it", () => {
  const clock = new VirtualClock();
  const happened: string[] = [];
  clock.createTimer(() => happened.push("timer")).setAt(5);
  clock.schedule(5, () => {
    happened.push("news");
    clock.schedule(5, () => happened.push("news of news"));
  });
  clock.advanceToEventAt(5);
  happened.push("arrival");
  clock.advanceToEventAt(6);
  expect(happened).toEqual(["news", "news of news", "arrival", "timer"]);
});
