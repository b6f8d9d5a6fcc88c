/** The sentences that an operator reads at 3 a.m. */
import { expect, it } from "vitest";
import { type HeadlineFacts, headlineOf } from "./headline.ts";
import type { WireTarget } from "./wire.ts";

const nowUnixMs = 1_800_000_000_000;

function target(name: string, more: Partial<WireTarget> = {}): WireTarget {
  return {
    name,
    kind: "edge",
    at: "http://10.0.0.1:8000",
    health: "healthy",
    sinceUnixMs: nowUnixMs - 3_600_000,
    inFlight: 0,
    answered: 0,
    batches: 0,
    failed: 0,
    cost: 0,
    ...more,
  };
}

const edge = target("edge-1", { answered: 830 });
const small = target("small", { kind: "serverless", at: "", answered: 170 });
const money = {
  currency: "CNY",
  perHour: 0.12,
  alonePerHour: 0.9,
  hour: { spent: 0.1, limit: null },
  day: { spent: 0.1, limit: null },
  isReached: false,
  hasFunctions: true,
};
const recent = { spanMs: 300_000, arrived: 1_000, inTime: 1_000, late: 0, refused: 0, failed: 0, p99Ms: 80 };

function told(more: Partial<HeadlineFacts> = {}) {
  return headlineOf({
    state: "serving",
    recent,
    targets: [edge, small],
    money,
    sloQuantile: 0.99,
    nowUnixMs,
    startedUnixMs: nowUnixMs - 7_200_000,
    waitingRows: 0,
    mainLoss: undefined,
    perHourBefore: undefined,
    hadRequests: true,
    ...more,
  });
}

it("says that all is well, who answers, and what it costs", () => {
  expect(told()).toEqual({
    level: "ok",
    matter: "well",
    text: "All requests in time for the last 5 minutes; edge-1 answers 83 %, functions 17 %; 0.12 CNY an hour.",
    more: [],
    actions: [],
  });
});

it("never says all, 100 % or 0 % when it is nearly so", () => {
  const nearly = { ...recent, inTime: 99_999, late: 1 };
  expect(told({ recent: nearly }).text).toMatch(/^99.9 % of requests in time/);
  const lone = { ...small, answered: 1 };
  expect(told({ targets: [{ ...edge, answered: 99 }, lone] }).text).toContain(
    "edge-1 answers 99 %, functions 1 %",
  );
});

it("counts only from the start when that was a moment ago", () => {
  expect(told({ recent: { ...recent, spanMs: 42_000 } }).text).toMatch(/for the last 42 seconds;/);
});

it("says who is ready when nobody asks", () => {
  const none = { ...recent, arrived: 0, inTime: 0 };
  const idle = [target("edge-1"), { ...small, answered: 0 }];
  expect(told({ recent: none, targets: idle, hadRequests: false })).toMatchObject({
    matter: "no-requests",
    text: "No requests yet; edge-1 and 1 function are ready.",
  });
  expect(told({ recent: none, targets: idle }).text).toMatch(/^No requests in the last 5 minutes;/);
});

const away = { health: "paused", sinceUnixMs: nowUnixMs - 720_000, why: "connect ECONNREFUSED" } as const;

it("says of an edge that is away since when, who answers instead, what that costs, why, and what to do", () => {
  const { level, text, more, actions } = told({
    targets: [{ ...edge, ...away, answered: 0 }, small],
    money: { ...money, perHour: 3.4 },
    perHourBefore: 0.12,
  });
  expect(level).toBe("warn");
  expect(text).toBe(
    `edge-1 is away since {time:${nowUnixMs - 720_000}} (12 minutes); functions answer instead (3.40 CNY an hour instead of 0.12 CNY).`,
  );
  expect(more).toEqual(["edge-1: connect ECONNREFUSED.", "All requests in time for the last 5 minutes."]);
  expect(actions[0]).toContain("curl http://10.0.0.1:8000/v2/health/ready");
  expect(actions.at(-1)).toContain("by itself");
});

it("does not take a short pause for an absence", () => {
  const busy = { ...edge, health: "paused", sinceUnixMs: nowUnixMs - 500 } as const;
  expect(told({ targets: [busy, small] }).matter).toBe("well");
});

it("names three of many edges that are away, and the others that answer", () => {
  const edges = Array.from({ length: 20 }, (_, index) => target(`edge-${index}`, index < 5 ? away : {}));
  expect(told({ targets: [...edges, small] }).text).toMatch(
    /^edge-0, edge-1, edge-2 and 2 more are away since .*; the other 15 edges and functions answer instead/,
  );
});

it("says when nothing can serve", () => {
  const { level, text } = told({ targets: [{ ...edge, ...away }] });
  expect(level).toBe("bad");
  expect(text).toMatch(/^Nothing can serve: edge-1 is away since .* Requests are refused\.$/);
});

it("says how many missed the SLO, why mostly, and how many may", () => {
  const missed = { ...recent, inTime: 950, late: 20, refused: 30 };
  expect(told({ recent: missed, mainLoss: "queue_full" })).toMatchObject({
    level: "bad",
    matter: "slo-missed",
    text: "5 % of the requests of the last 5 minutes were not answered in time (20 late, 30 refused); 1 % may be.",
    more: ["Mostly the queue was full."],
  });
});

it("says that the cap is reached, and what that means", () => {
  const capped = { ...money, isReached: true, hour: { spent: 10, limit: 10 } };
  expect(told({ money: capped }).text).toBe(
    "The spend cap is reached: 10.00 CNY of 10.00 CNY for an hour. What the edges cannot take in time is refused.",
  );
});

it("tells of functions that are paused while edges serve", () => {
  expect(told({ targets: [edge, { ...small, ...away }] })).toMatchObject({
    level: "warn",
    matter: "functions-away",
  });
});

it("says that the daemon starts or ends", () => {
  expect(told({ state: "starting" }).matter).toBe("starting");
  expect(told({ state: "closing" }).level).toBe("warn");
});
