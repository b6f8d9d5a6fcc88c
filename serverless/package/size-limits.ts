/** The size of a function's package beside the limits of Function Compute. */
import { packageLimits } from "../prices/fc-limits.ts";
import type { PackageFile } from "./package-files.ts";

const {
  zippedBytes: maxZippedAnywhere,
  zippedMostBytes: maxZipped,
  unpackedBytes: maxUnpacked,
} = packageLimits;

/** A line for each part of the package, and two for the whole. */
export function sizesText(files: readonly PackageFile[], zippedBytes: number): string {
  const parts = new Map<string, number>();
  for (const file of files) parts.set(partOf(file), (parts.get(partOf(file)) ?? 0) + file.content.length);
  const lines = [...parts].map(([part, bytes]) => `  ${part.padEnd(30)} ${mibText(bytes)}`);
  const unpacked = mibText(unpackedBytes(files));
  lines.push(
    `unpacked  ${unpacked} in ${files.length} files (limit: ${mibText(maxUnpacked)})`,
    `zipped    ${mibText(zippedBytes)} (limit: ${mibText(maxZippedAnywhere)}; ${mibText(maxZipped)} in large regions)`,
  );
  return `${lines.join("\n")}\n`;
}

/** Why no region takes the package; undefined when one does. */
export function sizeProblem(files: readonly PackageFile[], zippedBytes: number): string | undefined {
  if (zippedBytes > maxZipped) return `the zip has ${mibText(zippedBytes)}; allowed: ${mibText(maxZipped)}`;
  if (unpackedBytes(files) > maxUnpacked)
    return `the package has ${mibText(unpackedBytes(files))}; allowed: ${mibText(maxUnpacked)}`;
  return undefined;
}

function unpackedBytes(files: readonly PackageFile[]): number {
  return files.reduce((sum, { content }) => sum + content.length, 0);
}

/** `models`, the name of an npm package, or `code` for the function's own. */
function partOf({ path }: PackageFile): string {
  const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  return name ?? (path.startsWith("models/") ? "models" : "code");
}

function mibText(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0)} MiB`;
}
