/** The queue before an edge server that it reaches by gRPC, by the conformance suite of the edge: both ways answer alike. */
import { afterAll, beforeAll } from "vitest";
import { conformance } from "./conformance.ts";
import { conformanceRepository } from "./conformance-models.ts";
import { type RunningEdge, startEdge } from "./running-edge.ts";
import { type RunningProgram, startProgram } from "./running-program.ts";

let edge: RunningEdge;
let queue: RunningProgram;
beforeAll(async () => {
  edge = await startEdge("--models", conformanceRepository(), "--grpc-port", "0");
  const url = edge.doorUrl as string;
  queue = await startProgram("vqueue", ["--edge", url, "--no-serverless", "--calibrate", "0", "--slo", "10"]);
});
afterAll(async () => {
  await queue.stop();
  await edge.stop();
});

conformance(() => queue.url);
