import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { forEachLine } from "./text-lines.ts";

async function linesOf(chunks: (string | Buffer)[], maxChars: number): Promise<string[]> {
  const lines: string[] = [];
  const stream = Readable.from(chunks, { objectMode: false });
  forEachLine(stream, maxChars, (line) => lines.push(line));
  await finished(stream);
  return lines;
}

it("gives the lines whatever the chunks, even those that cut a character in two", async () => {
  const accent = Buffer.from("é");
  expect(await linesOf(["on", "e\ntwo\r\n\nth", "ree"], 10)).toEqual(["one", "two", "", "three"]);
  expect(await linesOf([accent.subarray(0, 1), accent.subarray(1)], 10)).toEqual(["é"]);
});

it("never keeps more of a line than its bound", async () => {
  const chunks = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\n") }).filter((text) => text !== ""));
  await fc.assert(
    fc.asyncProperty(chunks, async (texts) => {
      const expected = texts.join("").split("\n");
      if (expected.at(-1) === "") expected.pop();
      const cut = expected.map((line) => (line.length > 3 ? `${line.slice(0, 3)}…` : line));
      expect(await linesOf(texts, 3)).toEqual(cut);
    }),
  );
});
