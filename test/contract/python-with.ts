/** Python with packages from PyPI, in a virtual environment of its own. */
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The environment's Python; rejects when there is no Python with venv, or PyPI cannot be reached. */
export async function pythonWith(...packages: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-venv-"));
  await run("python3", ["-m", "venv", folder]);
  const python = join(folder, "bin", "python");
  await run(python, ["-m", "pip", "install", "--quiet", "--retries", "1", ...packages]);
  return python;
}
