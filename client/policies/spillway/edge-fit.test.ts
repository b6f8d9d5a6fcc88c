import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineOf, promisedAtMs, scheduleOf, send, tinyEdge } from "../../../test/support/tiny-targets.ts";
import type { LineView } from "../policy.ts";
import type { EdgeSchedule } from "./edge-schedule.ts";

describe("the requests that fit", () => {
  const cases = fc.record({
    reserve: fc.constantFrom(0, 1, 2.3),
    deviationMs: fc.constantFrom(0, 2, 7),
    replicas: fc.integer({ min: 1, max: 3 }),
    underWay: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 5 }),
    nowMs: fc.integer({ min: 0, max: 30 }),
    deadlines: fc.array(fc.integer({ min: 0, max: 160 }), { minLength: 1, maxLength: 14 }),
    first: fc.nat(13),
    maxRows: fc.integer({ min: 1, max: 8 }),
  });

  /** How many of `rows` can be served for the first one's deadline, counted one by one with what the schedule promises. */
  function counted(
    schedule: EdgeSchedule,
    replica: number,
    line: LineView,
    first: number,
    maxRows: number,
  ): number {
    const { deadlineAtMs } = line.at(first);
    let rows = 0;
    for (let index = first; index < line.length; index++) {
      rows += line.at(index).rows;
      if (rows > maxRows || promisedAtMs(schedule, replica, rows) > deadlineAtMs + 1e-6) return index - first;
    }
    return line.length - first;
  }

  it.each([1, 3])("are as many as a count one by one gives, with up to %i rows each", (mostRows) => {
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.integer({ min: 1, max: mostRows }), { minLength: 14, maxLength: 14 }),
        (facts, rows) => {
          const { deadlines, maxRows, underWay, nowMs } = facts;
          const schedule = scheduleOf(tinyEdge(facts), facts.reserve);
          for (const each of underWay) send(schedule.model, each, 0);
          schedule.start(nowMs);
          const line = lineOf(
            deadlines.sort((a, b) => a - b),
            rows,
          );
          const first = facts.first % line.length;
          for (let replica = 0; replica < facts.replicas; replica++) {
            const fit = schedule.fit(line, replica, first, maxRows);
            const count = counted(schedule, replica, line, first, maxRows);
            let rowsOfThem = 0;
            for (let index = first; index < first + count; index++) rowsOfThem += line.at(index).rows;
            expect(fit).toEqual({ first, count, rows: rowsOfThem });
          }
        },
      ),
      { seed: 2, numRuns: 60 },
    );
  });

  it("are none when the first has more rows than the edge takes at once", () => {
    const schedule = scheduleOf(tinyEdge());
    schedule.start(0);
    expect(schedule.fit(lineOf([1_000, 1_000], [9, 1]), 0, 0, 8)).toEqual({ first: 0, count: 0, rows: 0 });
  });
});
