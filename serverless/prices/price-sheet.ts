/** Price sheets as files: their fields, the faults of one that somebody wrote, and whether one is still valid. */
import { z } from "zod";
import { didYouMean } from "../../base/edit-distance.ts";
import type { PriceSheet } from "./price.ts";
import { showValue } from "../../base/show-value.ts";

// The message of a check says what is allowed; the place and the value are put before it.
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
      context.addIssue({ code: "custom", path: [index, "above"], message });
    }
  });

const head = {
  name: text.describe("what the sheet is called"),
  currency: z
    .string("three capital letters, such as CNY")
    .regex(/^[A-Z]{3}$/, "three capital letters, such as CNY")
    .describe("code of ISO 4217"),
  validFrom: date.describe("first day of these prices"),
  validUntil: date
    .optional()
    .describe("last day, where it is known; later, whoever uses the sheet is warned"),
  source: text.describe("where the prices were read"),
  granularityMs: z
    .strictObject({ cpu: positive, gpu: positive.optional() }, "an object with cpu, and gpu where it differs")
    .describe("durations are rounded up to a multiple of this many milliseconds, by the kind of instance"),
  coldStartBilled: z
    .boolean("true or false")
    .optional()
    .describe("whether the cold start before a call is billed with it (without it: no)"),
  tiers: tiers
    .optional()
    .describe(
      "prices of a CU (`cu`) or GB-second (`gb-second`) beyond a month's use, each `{ above, price }`, by growing `above`",
    ),
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
      .describe(
        "what a function costs at least in an hour in which it is called; its CU of that hour are rounded up to whole ones, too",
      ),
  }),
  "gb-second": z.strictObject({
    ...head,
    kind: z.literal("gb-second").describe("memory times time, as Lambda has it"),
    perGbS: amount.describe("price of a GiB-second"),
    perCall: amount.describe("price of a call"),
  }),
};

type Kind = keyof typeof sheetKinds;

/** Name, meaning and presence of every field, by the kind of the sheet. */
export function sheetFields(kind: Kind): { name: string; meaning: string; optional: boolean }[] {
  return Object.entries(sheetKinds[kind].shape).map(([name, field]) => {
    return { name, meaning: field.description ?? "", optional: field.safeParse(undefined).success };
  });
}

/**
 * @param document JSON as it was parsed
 * @param file for the messages
 * @throws Error with a line for each fault: the file, the field, its value and what is allowed
 */
export function checkPriceSheet(document: unknown, file: string): PriceSheet {
  const { kind } = (document ?? {}) as { kind?: unknown };
  if (kind !== "cu" && kind !== "gb-second") {
    throw new Error(`${file}: kind is ${showValue(kind)}; allowed: "cu" or "gb-second"`);
  }
  const result = sheetKinds[kind].safeParse(document);
  if (result.success) return result.data as PriceSheet;
  const known = Object.keys(sheetKinds[kind].shape);
  const faults = result.error.issues.flatMap((issue) => faultsOf(issue, document, known));
  throw new Error(faults.map((fault) => `${file}: ${fault}`).join("\n"));
}

/**
 * Why a sheet's prices may not be those of a day; undefined when nothing speaks against them.
 *
 * @param day such as `2026-01-31`
 */
export function whyNotValid({ name, validFrom, validUntil }: PriceSheet, day: string): string | undefined {
  if (day < validFrom) return `price sheet ${name} is valid from ${validFrom} only`;
  if (validUntil === undefined || day <= validUntil) return undefined;
  return `price sheet ${name} was valid until ${validUntil}; prices may be others now`;
}

function faultsOf(issue: z.core.$ZodIssue, document: unknown, known: readonly string[]): string[] {
  const place = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      if (place !== "") return `unknown field "${place}.${key}"`;
      return `unknown field "${key}"${didYouMean(key, known)}`;
    });
  }
  const value = issue.path.reduce<unknown>(
    (within, key) => (within as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key],
    document,
  );
  return [`${place} is ${showValue(value)}; allowed: ${issue.message}`];
}
