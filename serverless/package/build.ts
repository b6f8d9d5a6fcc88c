/** `npm run build:function`: makes the package of a function, a folder and a zip, and prints its size. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packageLimits } from "../prices/fc-limits.ts";
import { packageFiles, type PackageFile, writeFolder } from "./package-files.ts";
import { zip } from "./zip.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

const {
  zippedBytes: maxZippedBytes,
  zippedInLargeRegionsBytes,
  unpackedBytes: maxUnpackedBytes,
} = packageLimits;

const help = `Usage: npm run build:function -- [--models FOLDER] [--out FOLDER]
  --models  model repository to pack; without it the embedded OCR models (env: SPILLWAY_MODELS)
  --out     where code/ and function.zip go (default: serverless/build)
`;

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: { models: { type: "string" }, out: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const out = resolve(values.out ?? join(root, "serverless/build"));
  const files = await packageFiles(root, values.models ?? process.env["SPILLWAY_MODELS"]);
  const zipped = await zip(files);
  writeFolder(join(out, "code"), files);
  writeFileSync(join(out, "function.zip"), zipped);
  process.stdout.write(
    `${relative(process.cwd(), join(out, "function.zip"))}\n${sizesText(files, zipped.length)}` +
      `sha256    ${createHash("sha256").update(zipped).digest("hex")}\n`,
  );
  const problem = sizeProblem(files, zipped.length);
  if (problem !== undefined) throw new Error(problem);
  return 0;
}

/** A line for each part of the package, and two for the whole. */
function sizesText(files: readonly PackageFile[], zippedBytes: number): string {
  const parts = new Map<string, number>();
  for (const file of files) parts.set(partOf(file), (parts.get(partOf(file)) ?? 0) + file.content.length);
  const lines = [...parts].map(([part, bytes]) => `  ${part.padEnd(30)} ${mibText(bytes)}`);
  const unpacked = mibText(unpackedBytes(files));
  lines.push(
    `unpacked  ${unpacked} in ${files.length} files (limit: ${mibText(maxUnpackedBytes)})`,
    `zipped    ${mibText(zippedBytes)} (limit: ${mibText(maxZippedBytes)}; ${mibText(zippedInLargeRegionsBytes)} in large regions)`,
  );
  return `${lines.join("\n")}\n`;
}

/** Why no region takes the package; undefined when one does. */
function sizeProblem(files: readonly PackageFile[], zippedBytes: number): string | undefined {
  if (zippedBytes > zippedInLargeRegionsBytes)
    return `the zip has ${mibText(zippedBytes)}; allowed: ${mibText(zippedInLargeRegionsBytes)}`;
  if (unpackedBytes(files) > maxUnpackedBytes)
    return `the package has ${mibText(unpackedBytes(files))}; allowed: ${mibText(maxUnpackedBytes)}`;
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

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`build:function: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
