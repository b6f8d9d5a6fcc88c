/** Deciding changes nothing: a policy that is asked more often than need be answers the same, and the run is the same. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Decision, type Policy, wrapPolicy } from "../client/policies/policy.ts";
import type { PolicyInputs } from "../client/policies/policy-inputs.ts";
import { replay, traceOf } from "../test/support/replayed.ts";
import { tinyWorld } from "../test/support/tiny-world.ts";
import { type ReplayPolicyName, replayPolicies, replayPolicyNames } from "./peers/registry.ts";
import { exponential, randomStream } from "./traces/random-stream.ts";

const link = { rttMs: 1, uplinkMbps: 8 };
const edge = { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [8, 12], "8": [20, 30] } };
const slowEdge = { replicas: 2, maxBatch: 4, link: { rttMs: 4, uplinkMbps: 2 }, serviceMs: { "4": [30] } };
const edges = fc.constantFrom(
  { edge },
  {
    edge: undefined,
    edges: [
      { ...edge, name: "near" },
      { ...slowEdge, name: "far" },
    ],
  },
);
const fault = fc.record({
  kind: fc.constantFrom("edge-down", "throttle"),
  fromMs: fc.integer({ min: 0, max: 2_000 }),
});
const faults = fc
  .array(fault, { maxLength: 2 })
  .map((all) => all.map(({ kind, fromMs }) => ({ kind, fromMs, toMs: fromMs + 300 })));
/** Seconds of 400 requests, in turns of 50 at the two rates. */
const moments = fc
  .tuple(fc.nat(0xffff_ffff), fc.integer({ min: 20, max: 200 }), fc.integer({ min: 200, max: 1_500 }))
  .map(([seed, calmPerS, burstPerS]) => {
    const random = randomStream(seed, "arrivals");
    let atS = 0;
    return Array.from({ length: 400 }, (_, nth) => {
      atS += exponential(random) / (Math.floor(nth / 50) % 2 === 0 ? calmPerS : burstPerS);
      return atS;
    });
  });

/** Replays under the policy as it is and as `change` makes it, in random worlds, and expects the same log. */
function runsTheSame(
  name: ReplayPolicyName,
  runs: number,
  change: (policy: Policy) => Policy,
): Promise<void> {
  const make = (inputs: PolicyInputs): Policy => replayPolicies[name](inputs);
  return fc.assert(
    fc.asyncProperty(moments, edges, faults, async (momentsS, edgesOf, faultsOf) => {
      const options = {
        trace: traceOf(momentsS),
        scenario: tinyWorld({ ...edgesOf, faults: faultsOf }),
      };
      const plain = await replay({ ...options, policy: make });
      const changed = await replay({ ...options, policy: (inputs) => change(make(inputs)) });
      const differs = plain.lines.findIndex((line, at) => !isDeepStrictEqual(line, changed.lines[at]));
      expect(changed.lines[differs]).toEqual(plain.lines[differs]);
      expect(changed.text === plain.text).toBe(true);
    }),
    { seed: 21, numRuns: runs },
  );
}

describe("a policy that is asked two or three times before its last answer is carried out", () => {
  it.each(replayPolicyNames)("answers the same, and runs the same: %s", async (name) => {
    let asked = 0;
    const askedAgain = (policy: Policy): Policy =>
      wrapPolicy(policy, {
        decide: (view) => {
          const first = policy.decide(view);
          let last: Decision = first;
          for (let more = 1 + (asked % 2); more > 0; more--) {
            last = policy.decide(view);
            expect(last).toEqual(first);
          }
          asked++;
          return last;
        },
      });
    await runsTheSame(name, 5, askedAgain);
    expect(asked).toBeGreaterThan(300);
  });
});

it("spillway runs the same when a copy of its answer is carried out, as by a policy that wraps it", async () => {
  await runsTheSame("spillway", 10, (policy) =>
    wrapPolicy(policy, { decide: (view) => ({ ...policy.decide(view) }) }),
  );
});
