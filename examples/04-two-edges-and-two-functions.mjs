/**
 * Two edges and functions of two sizes behind one queue, by the product's own policy. The targets are stand-ins that
 * take as long as the profile says; nothing is called.
 *
 *     node examples/04-two-edges-and-two-functions.mjs
 *
 * Prints how a burst of 150 requests was shared among the targets, and what that would have cost.
 */
import { callCost, makePolicy, monotonicClock, readPriceSheet, VirtualQueue } from "spillway";

const sloMs = 1_000;
const prices = readPriceSheet("alibaba-fc-cn-2026");
const link = { rttMs: 5, uplinkMbps: 1_000 };

/** One row takes `rowMs`, each further one half of that. */
const timesOf = (rowMs) => ({
  "any-model": {
    requestBytes: 10_000,
    maxBatch: 8,
    serviceMs: { 1: [rowMs], 8: [4.5 * rowMs] },
  },
});
const common = { replicas: 1, link, coldStartMs: [] };
const profiles = [
  { ...common, name: "box", kind: "edge", models: timesOf(40) },
  { ...common, name: "laptop", kind: "edge", models: timesOf(80) },
  {
    ...common,
    name: "small",
    kind: "serverless",
    vcpu: 0.5,
    memoryMib: 1024,
    replicas: 50,
    models: timesOf(160),
  },
  {
    ...common,
    name: "large",
    kind: "serverless",
    vcpu: 2,
    memoryMib: 4096,
    replicas: 50,
    models: timesOf(60),
  },
];

const totals = new Map(profiles.map(({ name }) => [name, { requests: 0, cost: 0 }]));

/** @returns {import("spillway").Target<number, number>} */
const standIn = (profile) => ({
  name: profile.name,
  kind: profile.kind,
  maxInFlight: profile.replicas,
  assumedLatencyMs: 100,
  send: ({ parts, rows }, done) => {
    const serviceMs = profile.models["any-model"].serviceMs[1][0] * (1 + (rows - 1) / 2);
    const cost = profile.kind === "edge" ? 0 : callCost(prices, profile, serviceMs).cost;
    totals.get(profile.name).cost += cost;
    const answers = parts.map(({ payload }) => payload);
    setTimeout(() => done({ ok: true, answers, serviceMs, coldStartMs: 0, cost }), serviceMs + link.rttMs);
  },
});

const queue = new VirtualQueue({
  clock: monotonicClock(),
  policy: makePolicy({ name: "spillway", sloQuantile: 0.99, targets: profiles, prices }, sloMs),
  targets: profiles.map(standIn),
  sloMs,
});

const ask = (payload) => queue.infer({ payload, key: "any-model", bytes: 10_000 });
// The first request makes the first plan.
const served = [await ask(0), ...(await Promise.all(Array.from({ length: 149 }, (_, id) => ask(id + 1))))];
for (const { target } of served) totals.get(target).requests++;
for (const [name, { requests, cost }] of totals) {
  console.log(`${name}: ${requests} requests, ${cost.toFixed(6)} ${prices.currency}`);
}
