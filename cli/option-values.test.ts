/** Whatever is given for an option of any command, its error names the place, what was given, and what is allowed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { withoutUserInfo } from "../base/error-text.ts";
import { checkValues } from "../base/program/options.ts";
import { UsageError } from "../base/usage-error.ts";
import { commands } from "./commands.ts";

const schemas = new Map<string, z.ZodObject>(
  await Promise.all(commands.map(async ({ name, schema }) => [name, await schema()] as const)),
);

/** Texts with a form of their own, by command and option; each is right as it stands. */
const structured: readonly (readonly [command: string, key: string, text: string])[] = [
  ["vqueue", "lanes", "realtime=0.3,bulk"],
  ["vqueue", "reserve", "realtime=2,bulk=1"],
  ["vqueue", "edge", "near=http://127.0.0.1:8000"],
  ["vqueue", "functions", "small=0.5x1024,large=2x4096@http://127.0.0.1:9001"],
  ["vqueue", "pad", "ocr=x:3:160/320:1.5"],
  ["vqueue", "models", "ocr,two=a:FP32[1,8];b:INT64[-1,8]"],
  ["vqueue", "joinRows", "ocr=false"],
  ["vqueue", "cors", "https://app.example:8443"],
  ["edge", "modelMemory", "4.5GiB"],
  ["edge", "support", '[{"name":"a","command":["b"],"everyS":60}]'],
  ["function-host", "coldStart", "300,1200"],
  ["function-host", "functions", "small=0.5x1024"],
  ["prices", "gpu", "ada:16"],
  ["prices", "functions", "small=0.5x1024"],
  ["profile", "batches", "1,2,4"],
  ["profile", "shapes", "x=1x3x48x192,y=1x5"],
  ["profile", "function", "small=0.5x1024"],
  ["loadgen", "shapes", "x=1x3x48x192"],
];

const junk = ["", "x", "-1", "0", "1.5", "1e999", "NaN", "Infinity", "99999999999999", "0x10", "1_000", " "];
const letters = "=x:/,;@[]{}-.0e \"'".split("");

/** The text with one of its numbers replaced by junk, or some of its characters replaced, doubled or left out. */
function spoilt(text: string): fc.Arbitrary<string> {
  const numbers = [...text.matchAll(/\d+(?:\.\d+)?/g)];
  const other = fc.tuple(fc.constantFrom(...numbers.keys(), 0), fc.constantFrom(...junk)).map(([nth, by]) => {
    const { index = 0, 0: found = "" } = numbers[nth] ?? {};
    return text.slice(0, index) + by + text.slice(index + found.length);
  });
  const cut = fc
    .tuple(fc.nat(text.length), fc.nat(3), fc.constantFrom("", ...letters))
    .map(([at, count, by]) => text.slice(0, at) + by + text.slice(at + count));
  return fc.oneof(other, cut);
}

const single = new Map<z.ZodType, z.ZodObject>();

/** The schema of one option alone. */
function schemaOf(command: string, key: string): z.ZodObject {
  const field = schemas.get(command)?.shape[key] as z.ZodType;
  const schema = single.get(field) ?? z.strictObject({ [key]: field });
  single.set(field, schema);
  return schema;
}

/** What the option comes to, or the lines of its error. */
function read(
  command: string,
  key: string,
  value: unknown,
): { value: unknown } | { lines: readonly string[] } {
  const schema = schemaOf(command, key);
  try {
    return { value: checkValues(schema, { [key]: value }, { [key]: "--the-flag" })[key] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { lines: error.message.split("\n") };
  }
}

/** Words of zod and of JavaScript that say nothing to somebody who typed a flag. */
const foreign = /Invalid|Too small|Too big|Unrecognized|received|\bundefined\b|\[object|is not a function/;

function expectClear(lines: readonly string[], given: string): void {
  for (const line of lines) {
    expect(line).toMatch(/^--the-flag is .+; allowed: ./);
    expect(line.replaceAll(given, "")).not.toMatch(foreign);
    if (!given.includes("NaN")) expect(line).not.toContain("NaN");
  }
}

/** Whether a number within is none, or without end. */
function hasOddNumber(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (value instanceof Map) return [...value.values()].some(hasOddNumber);
  return typeof value === "object" && value !== null && Object.values(value).some(hasOddNumber);
}

describe.each(structured)("%s, %s", (command, key, text) => {
  it("takes its example", () => {
    expect(read(command, key, text)).toHaveProperty("value");
  });

  it("names what was typed and what is allowed for whatever is nearly right", () => {
    fc.assert(
      fc.property(spoilt(text), (given) => {
        const result = read(command, key, given);
        if ("value" in result) {
          expect(hasOddNumber(result.value)).toBe(false);
          return;
        }
        expectClear(result.lines, given);
        // Of a list each part is named on its own.
        const parts = [given, ...given.split(",").map((part) => part.trim())];
        for (const line of result.lines)
          expect(parts.some((part) => line.includes(withoutUserInfo(JSON.stringify(part))))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

const everyOption = [...schemas].flatMap(([command, { shape }]) =>
  Object.keys(shape).map((key) => [command, key] as const),
);

it.each(everyOption)("%s, %s, has a clear error for any value of a file", (command, key) => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(-1, 0.5, 1e300, "", "x", [], {}, [{}], [[1]]),
  );
  fc.assert(
    fc.property(value, (given) => {
      const result = read(command, key, given);
      if ("lines" in result) expectClear(result.lines, JSON.stringify(given));
    }),
    { numRuns: 20 },
  );
});
