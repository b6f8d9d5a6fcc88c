/** Sizes of memory as people write them. */
import { z } from "zod";

const units: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** `4GiB`, `512MiB` or `2GB`, in bytes. */
export const memorySize = z.string().transform((given, context): number => {
  const [, number, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([KMG]i?B)\s*$/i.exec(given) ?? [];
  const bytes = Number(number) * (units[unit.toUpperCase()] ?? Number.NaN);
  if (bytes >= 2 ** 20) return Math.floor(bytes);
  context.addIssue("a size with its unit, 1MiB or more, such as 4GiB or 512MiB");
  return z.NEVER;
});

export function showMib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
