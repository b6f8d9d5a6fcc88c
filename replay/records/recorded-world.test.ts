import { expect, it } from "vitest";
import { replayPolicies } from "../peers/registry.ts";
import { parseRecord } from "./recorded-run.ts";
import { recordedWorld } from "./recorded-world.ts";
import { tinySheet } from "../../test/support/tiny-world.ts";
import { replayTrace } from "../run.ts";

const times = { requestBytes: 1_000, maxBatch: 2, serviceMs: { "1": [10], "2": [18] } };
const target = { replicas: 1, link: { rttMs: 2, uplinkMbps: 100 }, coldStartMs: [], models: { m: times } };
const prices = { ...tinySheet, perCall: 0 };
const header = {
  kind: "header",
  format: "spillway-record/2",
  policy: {
    name: "spillway",
    sloQuantile: 0.99,
    targets: [
      { ...target, name: "edge", kind: "edge" },
      { ...target, name: "small", kind: "serverless", vcpu: 1, memoryMib: 1_024 },
    ],
    prices,
  },
  targets: [
    { name: "edge", kind: "edge", maxInFlight: 4, assumedLatencyMs: 1 },
    { name: "small", kind: "serverless", maxInFlight: 7, assumedLatencyMs: 1 },
  ],
  sloMs: 500,
  maxQueuedRows: 10,
  maxBytes: 1_000,
  maxAttempts: 5,
};
const arrival = (id: number, atMs: number, key = "m []"): object => {
  return { kind: "arrival", id, atMs, key, rows: 1, bytes: 1_000, sloMs: 500 };
};
const batch = { kind: "batch", atMs: 100, plannedRows: 1, rows: 1, reason: "full", waitedMs: 0 };
const result = { kind: "result", batch: 0, ok: true, serviceMs: 14, coldStartMs: 800, cost: 0.1 };

function worldOf(head: object, ...events: object[]) {
  const text = [head, ...events].map((line) => `${JSON.stringify(line)}\n`).join("");
  return recordedWorld(parseRecord(text, "r.ndjson"), "r.ndjson");
}

it("holds the times of the profile and of the run, and every arrival from the first on", async () => {
  const world = worldOf(
    header,
    arrival(0, 100),
    { ...batch, id: 0, key: "m []", target: "small", requests: [0] },
    arrival(1, 150),
    arrival(2, 160, "other []"),
    { ...result, atMs: 200 },
    arrival(3, 350),
  );
  const { serverless, edges } = world.scenario;
  expect(serverless).toMatchObject({ maxInstances: 7, coldStartMs: [800] });
  expect(serverless.sizes[0]?.service.quantileMs(1, 1)).toBe(14);
  expect(edges[0]?.service.quantileMs(1, 1)).toBe(10);
  const summary = await replayTrace({
    ...world,
    policy: replayPolicies["edge-only"],
    seed: 1,
    fromS: 0,
    toS: Infinity,
    scale: 1,
  });
  expect(summary).toMatchObject({ requests: 3, inSlo: 3, cost: 0, currency: "USD" });
});

it("cannot be made of a record without requests or without a profile", () => {
  expect(() => worldOf(header)).toThrow(/r\.ndjson: no request arrived/);
  const fixed = { ...header, policy: { name: "fixed", batchRows: [1], timeoutMs: 1 } };
  expect(() => worldOf(fixed, arrival(0, 1))).toThrow(/a record of fixed has no profile/);
});

it.each([
  ["edge", [1, 0]],
  ["serverless", [0, 1]],
])("of a record with targets of the kind %s alone has no others", (kind, [edges, sizes]) => {
  const only = <T extends { kind: string }>(targets: readonly T[]): T[] =>
    targets.filter((each) => each.kind === kind);
  const { policy, targets } = header;
  const head = { ...header, policy: { ...policy, targets: only(policy.targets) }, targets: only(targets) };
  const { scenario } = worldOf(head, arrival(0, 100));
  expect([scenario.edges.length, scenario.serverless.sizes.length]).toEqual([edges, sizes]);
  expect(scenario.requestBytes).toBe(1_000);
});
