/** The queue as a program before an edge server, by the conformance suite of the edge. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { conformance } from "./conformance.ts";
import { conformanceRepository } from "./conformance-models.ts";
import { type RunningEdge, startEdge } from "./running-edge.ts";
import { type RunningProgram, startProgram } from "./running-program.ts";

let edge: RunningEdge;
let queue: RunningProgram;
beforeAll(async () => {
  edge = await startEdge("--models", conformanceRepository());
  queue = await startProgram("vqueue", [
    "--edge",
    edge.url,
    "--no-serverless",
    "--calibrate",
    "0",
    "--slo",
    "10",
  ]);
});
afterAll(async () => {
  await queue.stop();
  await edge.stop();
});

conformance(() => queue.url);

it("names the extensions that pass the suite, and no others", async () => {
  const { extensions } = (await (await fetch(`${queue.url}/v2`)).json()) as { extensions: string[] };
  expect(extensions.filter((name) => name !== "classification")).toEqual([
    "binary_tensor_data",
    "model_configuration",
    "statistics",
    "model_repository",
  ]);
});

it("answers a version that the edge does not have with 404, and HEAD as GET without a body", async () => {
  for (const what of ["", "/ready", "/config", "/stats"]) {
    const known = await fetch(`${queue.url}/v2/models/simple/versions/3${what}`, { method: "HEAD" });
    expect([what, known.status, await known.text()]).toEqual([what, 200, ""]);
    expect([what, (await fetch(`${queue.url}/v2/models/simple/versions/9${what}`)).status]).toEqual([
      what,
      404,
    ]);
  }
});

it("says with 405 which method a path takes", async () => {
  for (const [path, allowed] of [
    ["/v2/health/live", "GET"],
    ["/v2/models/stats", "GET"],
    ["/v2/models/simple/config", "GET"],
    ["/v2/models/simple/versions/3/infer", "POST"],
    ["/v2/repository/index", "POST"],
    ["/v2/infer", "POST"],
    ["/metrics", "GET"],
    ["/admin/models", "GET"],
  ] as const) {
    const { status, headers } = await fetch(`${queue.url}${path}`, { method: "PUT" });
    expect([path, status, headers.get("allow")]).toEqual([path, 405, allowed]);
  }
});
