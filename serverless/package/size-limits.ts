/** How large a function's package is, beside what Function Compute takes. */
import { packageLimits } from "../prices/fc-limits.ts";
import type { PackageFile } from "./package-file.ts";

const mib = 2 ** 20;
const { zippedBytes: zippedAnywhereBytes, zippedMostBytes, unpackedBytes: unpackedMostBytes } = packageLimits;

/** A line for each part of the package, and for the whole. */
export function sizesText(files: readonly PackageFile[], zippedBytes: number): string {
  const parts = new Map<string, number>();
  for (const file of files) parts.set(partOf(file), (parts.get(partOf(file)) ?? 0) + file.content.length);
  const lines = [...parts].map(([part, bytes]) => `  ${part.padEnd(30)} ${mibText(bytes)}`);
  const unpacked = mibText(unpackedBytes(files));
  lines.push(
    `unpacked  ${unpacked} in ${files.length} files (limit: ${mibText(unpackedMostBytes)})`,
    `zipped    ${mibText(zippedBytes)} (limit: ${mibText(zippedAnywhereBytes)}; ${mibText(zippedMostBytes)} in large regions)`,
  );
  return `${lines.join("\n")}\n`;
}

/** Why no region takes the package; undefined when one does. */
export function whyTooLarge(files: readonly PackageFile[], zippedBytes: number): string | undefined {
  if (zippedBytes > zippedMostBytes)
    return `the zip has ${mibText(zippedBytes)}; allowed: ${mibText(zippedMostBytes)}`;
  if (unpackedBytes(files) > unpackedMostBytes)
    return `the package has ${mibText(unpackedBytes(files))}; allowed: ${mibText(unpackedMostBytes)}`;
  return undefined;
}

function unpackedBytes(files: readonly PackageFile[]): number {
  return files.reduce((sum, { content }) => sum + content.length, 0);
}

/** `models`, a package's name, or the function's own code. */
function partOf({ path }: PackageFile): string {
  const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  return name ?? (path.startsWith("models/") ? "models" : "code");
}

function mibText(bytes: number): string {
  return `${(bytes / mib).toFixed(bytes < 100 * mib ? 1 : 0)} MiB`;
}
