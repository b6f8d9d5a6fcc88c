import { expect, it } from "vitest";
import { z } from "zod";
import { schemaFaults } from "./schema-fault.ts";

const schema = z.strictObject({
  name: z.string().min(1),
  share: z.number().min(0).max(1),
  rows: z.number().int().min(2).optional(),
  code: z
    .string()
    .regex(/^[a-z]+$/, "small letters")
    .optional(),
  from: z.union([z.string(), z.array(z.number())]).optional(),
  times: z.record(z.string().regex(/^\d+$/, "an integer"), z.number()).optional(),
  kind: z.enum(["a", "b"]).optional(),
});

function faultsOf(value: unknown): string[] {
  const { error } = schema.safeParse(value);
  return schemaFaults(schema, value, error?.issues ?? []).map(
    ({ path, text }) => `${path.join(".")} ${text}`,
  );
}

it.each([
  [{ share: 2 }, "share is 2; allowed: a number, 0 to 1"],
  [{ share: "x" }, 'share is "x"; allowed: a number, 0 to 1'],
  [{ share: Number.NaN }, "share is NaN; allowed: a number, 0 to 1"],
  [{ share: undefined }, "share is missing; allowed: a number, 0 to 1"],
  [{ rows: 1.5 }, "rows is 1.5; allowed: an integer, 2 or more"],
  [{ name: "" }, 'name is ""; allowed: a text that is not empty'],
  [{ code: "A1" }, 'code is "A1"; allowed: small letters'],
  [{ code: 7 }, "code is 7; allowed: a text"],
  [{ from: 5 }, "from is 5; allowed: a text or a list"],
  [{ times: { x: 1 } }, 'times has a key "x"; allowed: an integer'],
  [{ times: { 1: "x" } }, 'times.1 is "x"; allowed: a number'],
  [{ kind: "c" }, 'kind is "c"; allowed: a, b'],
  [{ nam: 1 }, ' has an unknown key "nam"; did you mean "name"?'],
])("tells of %j the place, the value and what is allowed", (change, text) => {
  expect(faultsOf({ name: "n", share: 0.5, ...change })).toEqual([text]);
});

it("says of a value of another type what is expected in its place", () => {
  expect(faultsOf(5)).toEqual([" is 5; allowed: an object of name, share, rows, code, from, times, kind"]);
});
