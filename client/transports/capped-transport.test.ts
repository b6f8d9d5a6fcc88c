import { expect, it } from "vitest";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { SpendCap } from "../targets/spend-cap.ts";
import { cappedGet, cappedTransport, mostCost } from "./capped-transport.ts";
import { BilledFailure, type Transport, type TransportReply } from "./transport.ts";

const costOf = (durationMs: number): number => 0.1 + durationMs / 1_000;
const most = mostCost({ functionTimeoutMs: 1_000, costOf });
const wire = { body: new Uint8Array() };
const warm: TransportReply = {
  status: 200,
  wire,
  durationMs: 20,
  coldStartMs: 0,
  mayHaveStarted: false,
  cost: 0.12,
};

/** A call that takes 300 ms and ends so; what counts of it afterwards, and how it ended. */
async function countedOf(end: Partial<TransportReply> | Error): Promise<{ counted: number; end: unknown }> {
  let nowMs = 0;
  const cap = new SpendCap({
    limits: { perHour: 100, perDay: Infinity },
    currency: "CNY",
    longestCallMs: 11_000,
    nowMs,
  });
  const transport = {
    call: () => {
      nowMs += 300;
      if (end instanceof Error) return Promise.reject(end);
      return Promise.resolve({ ...warm, ...end });
    },
    close: () => Promise.resolve(),
  } satisfies Transport;
  const capped = cappedTransport(transport, { cap, functionTimeoutMs: 1_000, costOf, nowMs: () => nowMs });
  const ended = await capped.call("m", wire, 500).catch((error: unknown) => error);
  return { counted: cap.status(nowMs).hour.spent, end: ended };
}

const failing = (code: ErrorCode): Error => new SpillwayError(code);

it.each([
  ["an answer's own", {}, 0.12],
  ["as long as we waited when an instance had to start", { mayHaveStarted: true }, costOf(300)],
  ["the failed function's", new BilledFailure("target_fault", "failed", 0.5), 0.5],
  ["nothing when the platform says so", new BilledFailure("target_throttled", "no", 0), 0],
  [
    "as long as we waited when nobody says what being throttled costs",
    failing("target_throttled"),
    costOf(300),
  ],
  ["as long as we waited when the function exited", failing("target_broken"), costOf(300)],
  ["the most there is when nobody answered in time", failing("target_timeout"), most],
  ["the most there is when the connection broke", failing("target_unreachable"), most],
  ["nothing when there was no connection", new BilledFailure("target_unreachable", "no", 0), 0],
])("counts of a call %s", async (_, end, cost) => {
  expect((await countedOf(end)).counted).toBeCloseTo(cost, 12);
});

it("asks a function for what is no inference only while there is money, and counts the time that it took", async () => {
  let nowMs = 0;
  const cap = new SpendCap({
    limits: { perHour: most + costOf(250), perDay: Infinity },
    currency: "CNY",
    longestCallMs: 11_000,
    nowMs,
  });
  const get = () => {
    nowMs += 250;
    return Promise.resolve({ status: 404, body: wire.body });
  };
  const server = cappedGet({ get }, { cap, functionTimeoutMs: 1_000, costOf, nowMs: () => nowMs });
  expect(await server.get("/v2/models/m", 500)).toMatchObject({ status: 404 });
  expect(cap.status(nowMs).hour.spent).toBeCloseTo(costOf(250), 12);
  await server.get("/v2/models/m", 500);
  await expect(server.get("/v2/models/m", 500)).rejects.toMatchObject({ code: "spend_cap_reached" });
  expect(nowMs).toBe(500);
});

it("does not make a call for which there is no money, and says so", async () => {
  const cap = new SpendCap({
    limits: { perHour: 1.5 * most, perDay: Infinity },
    currency: "CNY",
    longestCallMs: 11_000,
    nowMs: 0,
  });
  let calls = 0;
  const hanging: Transport = { call: () => (calls++, new Promise(() => {})), close: () => Promise.resolve() };
  const capped = cappedTransport(hanging, { cap, functionTimeoutMs: 1_000, costOf, nowMs: () => 0 });
  void capped.call("m", wire, 500);
  await expect(capped.call("m", wire, 500)).rejects.toMatchObject({
    code: "spend_cap_reached",
    retryAfterMs: 100,
  });
  expect(calls).toBe(1);
});
