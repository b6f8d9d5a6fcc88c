import fc from "fast-check";
import { expect, it } from "vitest";
import { TimeHeap } from "./time-heap.ts";

it("gives items back by time, and in the order they came where times are equal", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 200 }), (times) => {
      const heap = new TimeHeap<number>();
      for (const [index, at] of times.entries()) heap.push(at, index);
      const popped = times.map(() => [heap.firstAt, heap.pop() as number] as const);
      expect(popped).toEqual(
        times.map((at, index) => [at, index] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]),
      );
      expect([heap.size, heap.firstAt, heap.pop()]).toEqual([0, Infinity, undefined]);
    }),
  );
});
