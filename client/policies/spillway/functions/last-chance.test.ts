import { expect, it } from "vitest";
import { poisson, runPolicy, smallWorld } from "../../../../test/support/policy-run.ts";

it("requests that have just come are called while those before them have waited for too long", () => {
  // The edge is too slow. A call takes 190 ms and now and then 201, so that it is in time only if it is sent within 10 ms.
  const scenario = smallWorld({
    edge: { serviceMs: { "1": [250], "8": [400] } },
    serverless: {
      link: { rttMs: 1, uplinkMbps: 1 },
      sizes: [{ name: "f", memoryMib: 512, maxBatch: 1, serviceMs: { "1": [181, 181, 181, 181, 192] } }],
    },
  });
  const { ended } = runPolicy(poisson({ perS: 40, untilMs: 20_000 }), { scenario });
  const served = ended.filter(({ outcome }) => outcome === "served").length;
  expect(served / ended.length).toBeGreaterThan(0.6);
});
