/** Triton's own Python client for gRPC, from PyPI, against the edge, the queue before it, and the queue that reaches it by gRPC. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { conformanceRepository } from "./conformance-models.ts";
import { pythonWith } from "./python-with.ts";
import { startEdge } from "./running-edge.ts";
import { type RunningProgram, startProgram } from "./running-program.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("triton_grpc_client.py", import.meta.url));

it("passes health, metadata, inference of every datatype, streams, statistics and repository", async ({
  skip,
}) => {
  const python = await pythonWith("tritonclient[grpc]").catch((error: Error) => error);
  if (python instanceof Error)
    return skip(`Triton's client cannot be installed: ${python.message.slice(0, 300)}`);
  const edge = await startEdge("--models", conformanceRepository(), "--grpc-port", "0");
  const queue = (url: string): Promise<RunningProgram> =>
    startProgram("vqueue", ["--edge", url, "--no-serverless", "--grpc-port", "0", "--slo", "20"]);
  const queues = await Promise.all([edge.url, edge.doorUrl as string].map(queue));
  try {
    for (const { doorUrl = "" } of [edge, ...queues]) {
      const { stdout } = await run(python, [script, new URL(doorUrl).host]);
      process.stdout.write(stdout);
      expect(stdout.match(/: passed/g)).toHaveLength(12);
    }
  } finally {
    await Promise.all([edge, ...queues].map((program) => program.stop()));
  }
});
