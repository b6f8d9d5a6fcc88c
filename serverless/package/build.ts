/**
 * `npm run build:function`: makes the package of a function, as a folder and as a zip, and prints its size and the
 * platform's limits.
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packageFiles, writeFolder } from "./package-files.ts";
import { sizesText, sizeProblem } from "./size-limits.ts";
import { zip } from "./zip.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

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

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`build:function: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
