import { expect, it } from "vitest";
import type { BatchSent } from "../world/batch-sent.ts";
import type { GeneratedWorld } from "./generated-world.ts";
import { JudgedRequests } from "./judged-requests.ts";

/** Four requests with an SLO of 100 ms, of which the first is the warm-up. */
const world = {
  scenario: { sloMs: 100 },
  arrivalsS: [0, 1, 2, 3],
  judgedFrom: 1,
} as unknown as GeneratedWorld;

function answered(id: number, latencyMs: number): BatchSent {
  const payload = { id, arrivedAtMs: 1_000 * id };
  return {
    batch: { parts: [{ payload }] },
    end: { ok: true, seenAtMs: payload.arrivedAtMs + latencyMs },
  } as unknown as BatchSent;
}

it("counts requests after the warm-up that are answered in time", () => {
  const judged = new JudgedRequests(world);
  for (const [id, latencyMs] of [
    [0, 50],
    [1, 100],
    [2, 101],
  ] as const)
    judged.sent(answered(id, latencyMs));
  expect(judged.inSloShare).toBeCloseTo(1 / 3, 9);
});

it("counts a request whose batch failed as lost until it is answered in another", () => {
  const judged = new JudgedRequests(world);
  judged.sent({ end: { ok: false } } as unknown as BatchSent);
  expect(judged.inSloShare).toBe(0);
});
