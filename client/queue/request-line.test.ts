import fc from "fast-check";
import { expect, it } from "vitest";
import type { WaitingRequest } from "../policies/policy.ts";
import { fixedSlots } from "../../test/support/fixed-slots.ts";
import { EligibleTargets } from "./eligible-targets.ts";
import { RequestLine } from "./request-line.ts";

function request(arrivedAtMs: number, deadlineAtMs: number, rows = 1): WaitingRequest {
  return { rows, bytes: 0, arrivedAtMs, deadlineAtMs, attempts: 0 };
}

it("keeps the earliest deadline first and requests with equal deadlines in the order they came", () => {
  const line = new RequestLine<WaitingRequest>("", EligibleTargets.all(fixedSlots([])));
  const a = request(0, 100);
  const b = request(1, 50);
  const c = request(2, 100);
  for (const each of [a, b, c]) line.add(each);
  expect([line.at(0), line.at(1), line.at(2)]).toEqual([b, a, c]);
  expect(line.oldestArrivalMs()).toBe(0);
});

it("behaves as a list sorted by deadline under any adding, taking and removing", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), sloMs: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("take" as const), count: fc.nat(5), first: fc.nat(5) }),
    fc.record({ kind: fc.constant("remove" as const), index: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const line = new RequestLine<WaitingRequest>("", EligibleTargets.all(fixedSlots([])));
      let model: WaitingRequest[] = [];
      for (const [atMs, each] of steps.entries()) {
        if (each.kind === "add") {
          const added = request(atMs, atMs + each.sloMs, 1 + (atMs % 3));
          line.add(added);
          model = [...model, added].sort((a, b) => a.deadlineAtMs - b.deadlineAtMs);
        } else if (each.kind === "take" && model.length > 0) {
          const first = Math.min(each.first, model.length - 1);
          const count = Math.max(1, Math.min(each.count, model.length - first));
          expect(line.take(count, first)).toEqual(model.splice(first, count));
        } else if (each.kind === "remove") {
          const gone = model[each.index];
          expect(line.remove(gone ?? request(0, 0))).toBe(gone !== undefined);
          model = model.filter((kept) => kept !== gone);
        }
        expect(line.length).toBe(model.length);
        expect(line.rows).toBe(model.reduce((sum, { rows }) => sum + rows, 0));
        expect(model.map((_, index) => line.at(index))).toEqual(model);
        if (model.length > 0) {
          expect(line.oldestArrivalMs()).toBe(Math.min(...model.map(({ arrivedAtMs }) => arrivedAtMs)));
        }
      }
    }),
  );
});

it("refuses an index and a count outside the line", () => {
  const line = new RequestLine<WaitingRequest>("", EligibleTargets.all(fixedSlots([])));
  expect(() => line.at(0)).toThrow(RangeError);
  expect(() => line.take(1)).toThrow(RangeError);
});
