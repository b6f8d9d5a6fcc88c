import { expect, it } from "vitest";
import { poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";
import { type Decision, wrapPolicy } from "../policy.ts";
import { spillwayPolicy } from "../spillway/spillway.ts";
import type { Reason } from "./reason.ts";
import { reasonText } from "./reason-text.ts";

type Run = NonNullable<Parameters<typeof runPolicy>[1]>;

/** What the spillway policy decided in such a run. */
function decisionsOf(arrivals: Parameters<typeof runPolicy>[0], run: Run = {}): Decision[] {
  const decisions: Decision[] = [];
  runPolicy(arrivals, {
    ...run,
    policy: (inputs) => {
      const policy = spillwayPolicy(inputs);
      return wrapPolicy(policy, {
        decide: (view) => {
          const decision = policy.decide(view);
          decisions.push(decision);
          return decision;
        },
      });
    },
  });
  return decisions;
}

function whysOf(decisions: readonly Decision[]): Reason[] {
  return decisions.flatMap(({ why }) => why ?? []);
}

const burst = poisson({ perS: 100, untilMs: 200 }, { perS: 1_200, untilMs: 600 });
const span = { fromMs: 150, toMs: 500 };
const sizes = ["f", "big"].map((name, index) => {
  return {
    name,
    memoryMib: 1_024 * (1 + index),
    maxBatch: 4,
    serviceMs: { "1": [50 - 20 * index], "4": [80 - 30 * index] },
  };
});

it("has a sentence for every batch, call and refusal of a burst, of faults and of cold starts", () => {
  const worlds: Run[] = [
    {},
    { arrange: (targets) => targets.filter(({ kind }) => kind === "edge") },
    { scenario: smallWorld({ faults: [{ kind: "edge-down", ...span }] }) },
    { scenario: smallWorld({ faults: [{ kind: "throttle", ...span }] }) },
    { scenario: smallWorld({ faults: [{ kind: "edge-slow", ...span, factor: 20 }] }) },
    { scenario: smallWorld({ serverless: { coldStartMs: [150, 400], maxInstances: 2, sizes } }) },
  ];
  const kinds = new Set<string>();
  for (const world of worlds) {
    for (const decision of decisionsOf(burst, world)) {
      const { why, kind } = decision;
      if (kind !== "wait") expect(why).toBeDefined();
      if (why === undefined) continue;
      kinds.add(why.kind);
      expect(reasonText(why)).toMatch(/^[A-Z].*\.$/);
      expect(reasonText(why)).not.toMatch(/undefined|NaN|Infinity|-\d/);
    }
  }
  expect([...kinds].sort()).toEqual([
    "calls-too-late",
    "edge-batch",
    "function-call",
    "hopeless",
    "start-instance",
    "trial",
    "wait",
  ]);
});

it("says which size takes a call, and what the others would have cost", () => {
  const whys = whysOf(decisionsOf(burst, { scenario: smallWorld({ serverless: { sizes } }) }));
  const call = whys.find((why) => why.kind === "function-call" && why.rivals.length > 0) as Reason;
  expect(reasonText(call)).toMatch(
    /^The edges could not serve .* waiting requests in time; .*\. f answers \d rows? within [\d.]+ ms of the [\d.]+ ms that were left, for [\d.]+; big costs more \([\d.]+\)\.$/,
  );
});

it("says what an edge could not take", () => {
  const whys = whysOf(decisionsOf(burst));
  const batch = whys.find((why) => why.kind === "edge-batch" && why.rows < why.lineRows) as Reason;
  expect(reasonText(batch)).toMatch(/^The edge had a place and took \d of the \d+ rows that waited: /);
});

it("names a sure rival that costs less for so many rows, one that is late, and one that is too small", () => {
  const size = { name: "mid", cost: 0.002, answerMs: 90, maxRows: 8 };
  const rivals = [
    { name: "tiny", cost: 0.001, answerMs: 400, maxRows: 4 },
    { name: "slow", cost: 0.001, answerMs: 400, maxRows: 8 },
    { name: "cold", cost: 0.001, answerMs: Infinity, maxRows: 8 },
    { name: "lean", cost: 0.001, answerMs: 80, maxRows: 8 },
  ];
  const facts = { overflow: 6, waiting: 6, rows: 6, bestRows: 8, leftMs: 90.5, size, rivals };
  expect(reasonText({ kind: "function-call", cause: "overflow", ...facts })).toBe(
    "The edges could not serve any of the 6 waiting requests in time; this was the last moment. mid answers 6 rows within" +
      " 90 ms of the 90.5 ms that were left, for 0.002; tiny takes at most 4 rows, slow would be late (400 ms), cold may" +
      " start no more instances, lean costs 0.001 for so many rows, but more a row as a whole.",
  );
});
