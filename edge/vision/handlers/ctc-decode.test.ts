import { describe, expect, it } from "vitest";
import { decodeCtc } from "./ctc-decode.ts";

describe("decodeCtc", () => {
  const dictionary = ["", "a", "b", " "];
  /** Scores whose best class at each step is the one given. */
  const scoresOf = (path: number[]) =>
    Float32Array.from(path.flatMap((best) => dictionary.map((_, index) => (index === best ? 0.7 : 0.1))));
  const read = (path: number[]) => decodeCtc(scoresOf(path), path.length, dictionary.length, dictionary).text;

  it("merges repeats and drops blanks", () => {
    expect(read([0, 1, 1, 0, 2, 2, 2, 0])).toBe("ab");
  });

  it("keeps a doubled character that a blank separates", () => {
    expect(read([1, 0, 1, 2])).toBe("aab");
  });

  it("keeps spaces, and reads nothing from blanks alone", () => {
    expect(read([1, 3, 2])).toBe("a b");
    expect(read([0, 0, 0])).toBe("");
  });

  it("reads logits as well as probabilities", () => {
    expect(decodeCtc(new Float32Array([-9, -3, -1, -5]), 1, 4, dictionary).text).toBe("b");
  });

  it("is as sure as its characters are on average, whatever the blanks", () => {
    const scores = new Float32Array([0.9, 0.1, 0, 0, 0.2, 0.8, 0, 0, 0.1, 0.2, 0.6, 0.1]);
    expect(decodeCtc(scores, 3, 4, dictionary).confidence).toBeCloseTo(0.7, 6);
    expect(decodeCtc(scores.subarray(0, 4), 1, 4, dictionary)).toEqual({ text: "", confidence: 0 });
  });

  it("refuses lengths that do not match", () => {
    expect(() => decodeCtc(new Float32Array(7), 2, 4, dictionary)).toThrow(RangeError);
    expect(() => decodeCtc(new Float32Array(10), 2, 5, dictionary)).toThrow(RangeError);
  });
});
