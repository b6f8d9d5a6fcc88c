import { expect, it } from "vitest";
import { poisson, runPolicy, smallWorld } from "../../../../test/support/policy-run.ts";

/** The edge takes 333 a second. Eight calls at once serve 60 a second with one row each, and 175 with four. */
const size = { name: "f", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [125], "4": [170] } };
const scenario = smallWorld({ serverless: { maxInstances: 8, sizes: [size] } });

it("calls hold as many rows as there is time for, where more overflows than few places take one by one", () => {
  const { ended, calls } = runPolicy(poisson({ perS: 200, untilMs: 1_000 }, { perS: 450, untilMs: 8_000 }), {
    scenario,
  });
  const lost = ended.filter(({ outcome }) => outcome !== "served").length;
  const rows = calls.reduce((sum, { batch }) => sum + batch.rows, 0);
  expect(lost / ended.length).toBeLessThan(0.004);
  expect(rows / calls.length).toBeGreaterThan(3.7);
});
