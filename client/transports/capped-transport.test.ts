import { describe, expect, it } from "vitest";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { SpendCap } from "../targets/spend-cap.ts";
import type { BatchResult, OutgoingBatch } from "../targets/target.ts";
import { cappedQuestions, cappedTransport, mostCost } from "./capped-transport.ts";
import { modelTarget } from "./model-target.ts";
import type { ModelCall } from "./model-call.ts";
import { BilledFailure, type Permit, type Transport, type TransportReply } from "./transport.ts";

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
  ["nothing when too many were open to make it", new BilledFailure("calls_open", "open", 0), 0],
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
  const server = cappedQuestions({ get }, { cap, functionTimeoutMs: 1_000, costOf, nowMs: () => nowMs });
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

/** A function behind a cap that has money for so many calls at once, and what is held of it now, in calls. */
function capped(calls: number, transport: Pick<Transport, "call"> & Partial<Transport>) {
  const cap = new SpendCap({
    limits: { perHour: (calls + 0.5) * most, perDay: Infinity },
    currency: "CNY",
    longestCallMs: 11_000,
    nowMs: 0,
  });
  const to = cappedTransport(
    { close: () => Promise.resolve(), ...transport },
    { cap, functionTimeoutMs: 1_000, costOf, nowMs: () => 0 },
  );
  return { cap, to, held: () => Math.round((cap.status(0).reserved / most) * 1e6) / 1e6 };
}

const answering: Pick<Transport, "call"> = { call: () => Promise.resolve(warm) };
const admitted = (to: Transport): Permit => to.admit?.() as Permit;

describe("leave to make a call", () => {
  it("holds the money for it until it is released", () => {
    const { cap, to, held } = capped(1, answering);
    const permit = admitted(to);
    expect(permit).not.toBeInstanceOf(SpillwayError);
    expect(held()).toBe(1);
    expect(to.admit?.()).toMatchObject({ code: "spend_cap_reached", retryAfterMs: 100 });
    expect(held()).toBe(1);
    permit.release();
    expect([held(), cap.status(0).hour.spent]).toEqual([0, 0]);
    expect(to.admit?.()).not.toBeInstanceOf(SpillwayError);
  });

  it("is used by the call that has it, which holds no more and settles what was held", async () => {
    let heldInCall: number | undefined;
    const { cap, to, held } = capped(1, {
      call: () => {
        heldInCall = held();
        return Promise.resolve(warm);
      },
    });
    // There is money for one call only, so that a second reservation would be refused.
    await to.call("m", wire, 500, admitted(to));
    expect([heldInCall, held()]).toEqual([1, 0]);
    expect(cap.status(0).hour.spent).toBeCloseTo(warm.cost, 12);
  });

  it("is not needed by a call without one, which asks for its own", async () => {
    const { to, held } = capped(1, answering);
    const permit = admitted(to);
    await expect(to.call("m", wire, 500)).rejects.toMatchObject({ code: "spend_cap_reached" });
    permit.release();
    await to.call("m", wire, 500);
    expect(held()).toBe(0);
  });

  it("holds no money when the transport below refuses, nor a place below when there is no money", () => {
    const open = new SpillwayError("calls_open", "open", { retryAfterMs: 100 });
    const closed = capped(1, { ...answering, admit: () => open });
    expect([closed.to.admit?.(), closed.held()]).toEqual([open, 0]);
    let released = 0;
    const { to } = capped(0, { ...answering, admit: () => ({ release: () => void released++ }) });
    expect(to.admit?.()).toMatchObject({ code: "spend_cap_reached" });
    expect(released).toBe(1);
  });
});

describe("a target behind a cap", () => {
  function batchOf(requests: number): OutgoingBatch<ModelCall> {
    const inputs = [tensorFromNumbers("x", "FP32", [1, 1], [1])];
    const payload = { model: "m", request: { parameters: {}, inputs }, rows: 1 };
    const parts = Array.from({ length: requests }, () => ({ payload, fromRow: 0, toRow: 1 }));
    return { id: 0, key: "", parts, rows: requests, deadlineAtMs: Infinity };
  }

  function targetOver(transport: Transport) {
    const facts = { name: "f", kind: "serverless", maxInFlight: 9, assumedLatencyMs: 1 } as const;
    return modelTarget({ ...facts, transport, callTimeoutMs: 500 });
  }

  function sent(target: ReturnType<typeof targetOver>, requests: number): Promise<BatchResult<unknown>> {
    return new Promise((resolve) => target.send(batchOf(requests), resolve));
  }

  it("holds the money from the moment that it admits a batch, and once", async () => {
    const heldInCalls: number[] = [];
    const { to, held } = capped(1, {
      call: () => {
        heldInCalls.push(held());
        return Promise.reject(new BilledFailure("target_fault", "failed", 0));
      },
    });
    const target = targetOver(to);
    expect(target.admit?.(batchOf(1))).toBeUndefined();
    expect(held()).toBe(1);
    // A batch that was admitted and never left gives its money back to the next one.
    expect(target.admit?.(batchOf(1))).toBeUndefined();
    expect(held()).toBe(1);
    await sent(target, 1);
    expect([heldInCalls, held()]).toEqual([[1], 0]);
  });

  it("asks anew for each half of a batch that is too large, and keeps within the money", async () => {
    const heldInCalls: number[] = [];
    const { to, held } = capped(1, {
      call: () => {
        heldInCalls.push(held());
        return Promise.reject(new BilledFailure("request_too_large", "too large", 0));
      },
    });
    const target = targetOver(to);
    expect(target.admit?.(batchOf(2))).toBeUndefined();
    await sent(target, 2);
    // The whole batch by the permit, and then each half by one of its own.
    expect([heldInCalls, held()]).toEqual([[1, 1, 1], 0]);
  });

  it("fails the halves that there is no money for, and says so of them alone", async () => {
    let calls = 0;
    const { to } = capped(1, {
      // What the first calls cost leaves no money for another one.
      call: () =>
        Promise.reject(new BilledFailure("request_too_large", "too large", calls++ === 1 ? most : 0)),
    });
    const target = targetOver(to);
    target.admit?.(batchOf(2));
    const result = await sent(target, 2);
    expect(calls).toBe(2);
    expect(result).toMatchObject({ ok: false });
    expect([...(result.unanswered ?? [])].map(([index, { code }]) => [index, code])).toEqual([
      [0, "request_too_large"],
      [1, "spend_cap_reached"],
    ]);
  });
});
