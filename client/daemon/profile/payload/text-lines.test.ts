import { describe, expect, it } from "vitest";
import { createLines, MAX_LINES } from "./text-lines.ts";

describe("createLines", () => {
  it("makes as many lines as asked, all different", () => {
    const lines = createLines(5_000, 1);
    expect(lines).toHaveLength(5_000);
    expect(new Set(lines.map((line) => line.text)).size).toBe(5_000);
  });

  it.each([0, 1, 2, 7, 1_000])("turns half of %i lines upside down", (count) => {
    const turned = createLines(count, 2).filter((line) => line.upsideDown);
    expect(turned).toHaveLength(Math.floor(count / 2));
  });

  it("puts the turned lines at seeded places, not in a pattern", () => {
    const places = (seed: number) => createLines(64, seed).map((line) => line.upsideDown);
    expect(places(3)).not.toEqual(places(4));
  });

  it("makes the same lines from the same seed, and others from another", () => {
    expect(createLines(100, 5)).toEqual(createLines(100, 5));
    expect(createLines(100, 5)).not.toEqual(createLines(100, 6));
  });

  it("draws only the measured form, and never the same character twice in a row", () => {
    for (const { text } of createLines(2_000, 7)) {
      expect(text).toMatch(/^[34579]{4}-[ABDEFPRTU]{3}$/);
      expect(text).not.toMatch(/(.)\1/);
    }
  });

  it("can make the most lines it allows", () => {
    expect(createLines(MAX_LINES, 8)).toHaveLength(MAX_LINES);
  });

  it("refuses counts and seeds out of range", () => {
    for (const count of [-1, 1.5, MAX_LINES + 1, Number.NaN])
      expect(() => createLines(count, 1)).toThrow(RangeError);
    for (const seed of [-1, 0.5, 2 ** 32, Number.NaN]) expect(() => createLines(1, seed)).toThrow(RangeError);
  });
});
