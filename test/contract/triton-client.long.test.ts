/** Triton's own Python client, from PyPI into a virtual environment, against the edge server. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { conformanceRepository } from "./conformance-models.ts";
import { pythonWith } from "./python-with.ts";
import { startEdge } from "./running-edge.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("triton_client.py", import.meta.url));

it("passes health, metadata, JSON and binary inference, async, compression, statistics and repository", async ({
  skip,
}) => {
  const python = await pythonWith("tritonclient[http,aio]").catch((error: Error) => error);
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
