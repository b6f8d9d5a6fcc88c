import { expect, it } from "vitest";
import { softmax, topK } from "./scores.ts";

it("turns logits into probabilities, large ones too", () => {
  // exp(0), exp(ln 2), exp(ln 5) are 1, 2, 5.
  const [a = 0, b = 0, c = 0] = softmax([0, Math.log(2), Math.log(5)]);
  expect([a, b, c].map((each) => Math.round(each * 1_000))).toEqual([125, 250, 625]);
  expect(Array.from(softmax([1_000, 1_000]))).toEqual([0.5, 0.5]);
});

it("orders classes by score, equal ones by their number", () => {
  const top = topK(new Float32Array([0.25, 0.5, 0.25, 0]), 3);
  expect(top.map(({ index }) => index)).toEqual([1, 0, 2]);
});
