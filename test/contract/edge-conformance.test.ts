/** The edge server as a program, on a real socket, by the conformance suite. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { conformance } from "./conformance.ts";
import { conformanceRepository } from "./conformance-models.ts";
import { type RunningEdge, startEdge } from "./running-edge.ts";

let edge: RunningEdge;
beforeAll(async () => {
  edge = await startEdge("--models", conformanceRepository());
});
afterAll(() => edge.stop());

conformance(() => edge.url);

it("names the extensions that pass the suite, and no others", async () => {
  const { extensions } = (await (await fetch(`${edge.url}/v2`)).json()) as { extensions: string[] };
  expect(extensions).toEqual([
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "example_requests",
    "statistics",
    "schedule_policy",
    "model_repository",
    "model_repository(unload_dependents)",
  ]);
});
