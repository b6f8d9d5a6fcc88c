import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choiceOf, crowd, lineOf, scheduleOf, send, tinyEdge } from "../../../test/support/tiny-targets.ts";
import type { LineView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { findOverflow, type PlannedEdge } from "./overflow.ts";

describe("the overflow of a line", () => {
  const cases = fc.record({
    replicas: fc.integer({ min: 1, max: 3 }),
    maxBatchRows: fc.integer({ min: 1, max: 5 }),
    rowUploadMs: fc.constantFrom(0, 0.5, 4),
    underWay: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
    deadlines: fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 16 }),
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;
  const profileOf = (facts: Case): TargetProfile => tinyEdge({ ...facts, meanMs: (rows) => 8 + 3 * rows });
  const filledEdge = (facts: Case): PlannedEdge => {
    const profile = profileOf(facts);
    const schedule = scheduleOf(profile);
    for (const rows of facts.underWay) send(schedule.model, Math.min(rows, facts.maxBatchRows), 0);
    schedule.start(0);
    return { schedule, choice: choiceOf(profile) };
  };

  const startedEdge = (profile: TargetProfile): PlannedEdge => {
    const schedule = scheduleOf(profile);
    schedule.start(0);
    return { schedule, choice: choiceOf(profile) };
  };

  /** Indices that the edge cannot serve in time, by playing its link and replicas forward batch by batch. */
  function playedForward({ replicas, maxBatchRows, rowUploadMs, underWay, deadlines }: Case): number[] {
    const freeAtMs: number[] = Array.from({ length: replicas }, () => -Infinity);
    let linkFreeAtMs = 0;
    const serveMs = (rows: number): number => 8 + 3 * rows;
    const endOf = (replica: number, rows: number): number =>
      Math.max(linkFreeAtMs + rows * rowUploadMs + 2, freeAtMs[replica] as number) + serveMs(rows);
    const soonest = (): number => freeAtMs.indexOf(Math.min(...freeAtMs));
    for (const each of underWay) {
      const rows = Math.min(each, maxBatchRows);
      const replica = soonest();
      freeAtMs[replica] = endOf(replica, rows);
      linkFreeAtMs += rows * rowUploadMs;
    }
    const left: number[] = [];
    for (let next = 0; next < deadlines.length;) {
      const replica = soonest();
      let count = Math.min(maxBatchRows, deadlines.length - next);
      while (count > 0 && endOf(replica, count) + 2 > (deadlines[next] as number)) count--;
      if (count === 0) {
        left.push(next++);
        continue;
      }
      const endMs = endOf(replica, count);
      const uploadMs = count * rowUploadMs;
      linkFreeAtMs = Math.max(linkFreeAtMs, (freeAtMs[replica] as number) - uploadMs - 2) + uploadMs;
      freeAtMs[replica] = endMs;
      next += count;
    }
    return left;
  }

  it("is what a play-forward by hand leaves", () => {
    fc.assert(
      fc.property(cases, (facts) => {
        facts.deadlines.sort((a, b) => a - b);
        const left = playedForward(facts);
        const found = findOverflow(lineOf(facts.deadlines), [filledEdge(facts)], undefined);
        expect(found).toEqual({ count: left.length, first: left[0] ?? facts.deadlines.length });
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it("is all when nothing can be in time, and nothing when the edge has time for all", () => {
    const profile = tinyEdge();
    const left = (line: LineView) => {
      return findOverflow(line, [startedEdge(profile)], undefined);
    };
    expect(left(crowd(5, 14))).toEqual({ count: 5, first: 0 });
    expect(left(crowd(50, 10_000))).toEqual({ count: 0, first: 50 });
    expect(left(lineOf([]))).toEqual({ count: 0, first: 0 });
  });

  it("is what several edges together cannot serve, each batch given to the one that answers first", () => {
    const fast = tinyEdge({ meanMs: () => 10, maxBatchRows: 1, rowUploadMs: 0 });
    const slow = tinyEdge({ meanMs: () => 30, maxBatchRows: 1, rowUploadMs: 0 });
    const left = (profiles: readonly TargetProfile[], count: number, deadlineAtMs: number) =>
      findOverflow(crowd(count, deadlineAtMs), profiles.map(startedEdge), undefined);
    // Until 64 the fast one answers six requests, at 14, 24, ... and 64, and the slow one two, at 34 and 64.
    expect(left([fast], 20, 64)).toEqual({ count: 14, first: 6 });
    expect(left([slow], 20, 64)).toEqual({ count: 18, first: 2 });
    for (const both of [
      [fast, slow],
      [slow, fast],
    ]) {
      expect(left(both, 20, 64)).toEqual({ count: 12, first: 8 });
      expect(left(both, 8, 64)).toEqual({ count: 0, first: 8 });
    }
    expect(left([], 3, 64)).toEqual({ count: 3, first: 0 });
    // What only one of them could serve in time goes there.
    expect(left([slow, fast], 1, 20)).toEqual({ count: 0, first: 1 });
  });

  it("counts those who are passed over, and never more than the line holds", () => {
    fc.assert(
      fc.property(cases, (facts) => {
        facts.deadlines.sort((a, b) => a - b);
        const line = lineOf(facts.deadlines);
        const { count, first } = findOverflow(line, [filledEdge(facts)], () => true);
        expect(count).toBeLessThanOrEqual(line.length - first);
        expect(count === 0).toBe(first === line.length);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
