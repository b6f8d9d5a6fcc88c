import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { mapSegmentation } from "./map-segmentation.ts";
import { parseSeries } from "./series.ts";

it("finds the steps of a clean series, first index of the new segment", () => {
  const series = Array.from({ length: 150 }, (_, index) => [0, 10, 3][Math.floor(index / 50)] as number);
  const wobbling = series.map((value, index) => value + 0.1 * Math.sin(7 * index));
  expect(mapSegmentation(wobbling)).toEqual([50, 100]);
});

it("finds nothing in a constant series, nor in a single value", () => {
  expect(mapSegmentation(Array.from({ length: 50 }, () => 3))).toEqual([]);
  expect(mapSegmentation([7])).toEqual([]);
});

it("does not depend on the unit of the series", () => {
  const series = Array.from({ length: 90 }, (_, index) => Math.sin(index) + (index < 40 ? 0 : 4));
  expect(mapSegmentation(series.map((value) => 1_024 * value - 7_000))).toEqual(mapSegmentation(series));
});

// The Turing Change Point Dataset is no part of this repository: its series have terms of their own.
const data = new URL("../../../shared/data/tcpd/", import.meta.url);
const isThere = existsSync(data);

it.skipIf(!isThere)(
  `has the scores that TCPDBench published, series by series${isThere ? "" : " (skipped: ../shared/data/tcpd is not there)"}`,
  { tags: ["slow"] },
  () => {
    const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, data), "utf8"));
    const annotations = read("annotations.json") as Record<string, Record<string, number[]>>;
    const published = read("published-default-bocpd.json") as Record<string, { f1: number; cover: number }>;
    const scores = Object.entries(published).map(([name, expected]) => {
      const series = parseSeries(readFileSync(new URL(`series/${name}.csv`, data), "utf8"), name);
      const found = mapSegmentation(series, 100);
      const annotators = Object.values(annotations[name] ?? {});
      const score = { f1: f1(annotators, found), cover: covering(annotators, found, series.length) };
      expect(score.f1, name).toBeCloseTo(expected.f1, 9);
      expect(score.cover, name).toBeCloseTo(expected.cover, 9);
      return score;
    });
    expect(scores).toHaveLength(30);
    expect(mean(scores.map((score) => score.f1))).toBeCloseTo(0.6957, 4);
    expect(mean(scores.map((score) => score.cover))).toBeCloseTo(0.6363, 4);
  },
);

/** Van den Burg and Williams, arXiv 2003.06222: margin 5, index 0 is a change point of everyone. */
function f1(annotators: readonly number[][], found: readonly number[]): number {
  const predicted = [...new Set([0, ...found])];
  const truths = annotators.map((points) => [...new Set([0, ...points])]);
  const precision = hits([...new Set(truths.flat())], predicted) / predicted.length;
  const recall = mean(truths.map((truth) => hits(truth, predicted) / truth.length));
  return (2 * precision * recall) / (precision + recall);
}

/** True points that have a prediction of their own nearby. */
function hits(truth: readonly number[], predicted: readonly number[]): number {
  const free = new Set(predicted);
  return truth
    .toSorted((a, b) => a - b)
    .filter((point) => {
      const near = [...free].filter((candidate) => Math.abs(candidate - point) <= 5);
      const nearest = near.toSorted((a, b) => Math.abs(a - point) - Math.abs(b - point) || a - b)[0];
      return nearest !== undefined && free.delete(nearest);
    }).length;
}

/** Of the same paper: the best Jaccard overlap of each true segment, weighted by its length. */
function covering(annotators: readonly number[][], found: readonly number[], steps: number): number {
  const segments = (starts: readonly number[]): [number, number][] => {
    const cuts = [...new Set([0, ...starts, steps])].sort((a, b) => a - b);
    return cuts.slice(1).map((end, index) => [cuts[index] as number, end]);
  };
  const mine = segments(found);
  return mean(
    annotators.map((points) => {
      const parts = segments(points).map(([from, to]) => {
        const overlaps = mine.map(([start, end]) => {
          const both = Math.max(0, Math.min(to, end) - Math.max(from, start));
          return both / (to - from + end - start - both);
        });
        return (to - from) * Math.max(...overlaps);
      });
      return parts.reduce((sum, part) => sum + part, 0) / steps;
    }),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
