/** Triton's own Python client, from PyPI into a virtual environment, against the edge server. */
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { conformanceRepository } from "./conformance-models.ts";
import { startEdge } from "./running-edge.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("triton_client.py", import.meta.url));

/** The environment's Python; an Error when there is no Python with venv, or PyPI cannot be reached. */
async function pythonWithClient(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "spillway-venv-"));
  await run("python3", ["-m", "venv", folder]);
  const python = join(folder, "bin", "python");
  await run(python, ["-m", "pip", "install", "--quiet", "--retries", "1", "tritonclient[http,aio]"]);
  return python;
}

it("passes health, metadata, JSON and binary inference, async, compression, statistics and repository", async ({
  skip,
}) => {
  const python = await pythonWithClient().catch((error: Error) => error);
  if (python instanceof Error)
    return skip(`Triton's client cannot be installed: ${python.message.slice(0, 300)}`);
  const edge = await startEdge("--models", conformanceRepository());
  try {
    const { stdout } = await run(python, [script, new URL(edge.url).host]);
    process.stdout.write(stdout);
    expect(stdout.match(/: passed/g)).toHaveLength(9);
  } finally {
    await edge.stop();
  }
});
