/** The fields of price sheets, the check of a sheet that somebody wrote, and whether a sheet is still valid. */
import { z } from "zod";
import { didYouMean, showValue } from "../../base/error-text.ts";

// The message of a check says what is allowed; `checkPriceSheet` puts the field and its value before it.
const text = z.string("a text that is not empty").min(1, "a text that is not empty");
const date = z.iso.date("a date such as 2026-01-31");
const amount = z.number("a number of at least 0").min(0, "a number of at least 0");
const positive = z.number("a number above 0").positive("a number above 0");

const tiers = z
  .array(z.strictObject({ above: positive, price: amount }, "an object with above and price"), "a list")
  .superRefine((list, context) => {
    for (const [index, { above }] of list.entries()) {
      const before = list[index - 1]?.above ?? 0;
      if (above > before) continue;
      const message = `a number above ${before}, that of the tier before`;
      context.addIssue({ code: "custom", path: [index, "above"], message, input: above });
    }
  })
  .readonly();

const head = {
  name: text.describe("what the sheet is called"),
  currency: z
    .string("three capital letters, such as CNY")
    .regex(/^[A-Z]{3}$/, "three capital letters, such as CNY")
    .describe("code of ISO 4217"),
  validFrom: date.describe("first day of these prices"),
  validUntil: date.optional().describe("last day, if it is known; later the sheet is used with a warning"),
  source: text.describe("where the prices were read"),
  granularityMs: z
    .strictObject({ cpu: positive, gpu: positive.optional() }, "an object with cpu, and gpu where it differs")
    .describe("milliseconds to whose multiples durations are rounded up, by the kind of instance"),
  coldStartBilled: z
    .boolean("true or false")
    .optional()
    .describe("whether the cold start before a call is billed with it; default: no"),
  tiers: tiers
    .optional()
    .describe("prices of a unit beyond a use in a month, as a list of `{ above, price }` by growing `above`"),
};

const sheetKinds = {
  cu: z.strictObject({
    ...head,
    kind: z.literal("cu").describe("compute units, as Function Compute has them"),
    perCu: amount.describe("price of a CU"),
    cuPerCall: amount.describe("CU of a call"),
    cuPerVcpuS: amount.describe("CU of a vCPU-second"),
    cuPerGibS: amount.describe("CU of a GiB-second of memory"),
    cuPerGpuGibS: z
      .record(z.string(), amount, "an object of cards and numbers")
      .optional()
      .describe("CU of a GiB-second of GPU memory, by card"),
    leastPerFunctionHour: amount
      .optional()
      .describe("least price of an hour in which a function is called, whose CU are then rounded up"),
  }),
  "gb-second": z.strictObject({
    ...head,
    kind: z.literal("gb-second").describe("memory times time, as Lambda has it"),
    perGbS: amount.describe("price of a GiB-second"),
    perCall: amount.describe("price of a call"),
  }),
};

type Kind = keyof typeof sheetKinds;

/** Alibaba Function Compute: what a call uses, times a factor for each resource, is CU; CU times `perCu` is money. */
export type CuPriceSheet = Readonly<z.output<(typeof sheetKinds)["cu"]>>;

/** AWS Lambda: one price for memory times time, and one for the call. */
export type GbSecondPriceSheet = Readonly<z.output<(typeof sheetKinds)["gb-second"]>>;

/** Dated, and with its source, because prices change. */
export type PriceSheet = CuPriceSheet | GbSecondPriceSheet;

/** The fields of a kind of sheet: name, meaning, and whether a sheet may lack it. */
export function sheetFields(kind: Kind): { name: string; meaning: string; optional: boolean }[] {
  return Object.entries(sheetKinds[kind].shape).map(([name, field]) => {
    return { name, meaning: field.description ?? "", optional: field.safeParse(undefined).success };
  });
}

/** Throws an Error with a line for each problem of parsed JSON: the file, the field, its value and what is allowed. */
export function checkPriceSheet(document: unknown, file: string): PriceSheet {
  const { kind } = (document ?? {}) as { kind?: unknown };
  if (kind !== "cu" && kind !== "gb-second") {
    throw new Error(`${file}: kind is ${showValue(kind)}; allowed: "cu" or "gb-second"`);
  }
  const result = sheetKinds[kind].safeParse(document, { reportInput: true });
  if (result.success) return result.data;
  const known = Object.keys(sheetKinds[kind].shape);
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, known));
  throw new Error(problems.map((problem) => `${file}: ${problem}`).join("\n"));
}

/** Why a sheet may not have the prices of a day such as `2026-01-31`; undefined when it is valid on it. */
export function validityProblem(
  { name, validFrom, validUntil }: PriceSheet,
  day: string,
): string | undefined {
  if (day < validFrom) return `price sheet ${name} is valid from ${validFrom} only`;
  if (validUntil === undefined || day <= validUntil) return undefined;
  return `price sheet ${name} was valid until ${validUntil}; prices may have changed`;
}

function problemsOf(issue: z.core.$ZodIssue, known: readonly string[]): string[] {
  const place = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      if (place !== "") return `unknown field "${place}.${key}"`;
      return `unknown field "${key}"${didYouMean(key, known)}`;
    });
  }
  return [`${place} is ${showValue(issue.input)}; allowed: ${issue.message}`];
}
