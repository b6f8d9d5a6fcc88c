import { expect, it } from "vitest";
import { batchGain } from "./profile-table.ts";

it("finds that a convolutional model on a CPU gains nothing from batches", () => {
  // PP-OCR detector on one thread: 1, 2 and 4 rows (local_ort_cpu_2core.json); the third is interpolated.
  const gain = batchGain([0, 21.828, 43.783, 66.8, 89.806]);
  expect(gain.bestRows).toBe(1);
  expect(gain.worseThanSmaller).toEqual([3, 4]);
});

it("finds the best batch of a model that does gain, and the sizes beyond it", () => {
  const gain = batchGain([0, 10, 12, 15, 40]);
  expect(gain).toMatchObject({ bestRows: 3, rowsPerMs: 0.2, worseThanSmaller: [4] });
  expect(() => batchGain([0])).toThrow(/no batch size/);
});
