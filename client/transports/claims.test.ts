/** What servers say of themselves that cannot be true. */
import { describe, expect, it } from "vitest";
import { call, httpTarget, scripted, send } from "../../test/support/wired-targets.ts";
import { SpendCap } from "../targets/spend-cap.ts";
import { cappedTransport } from "./capped-transport.ts";
import { toldTimes } from "./model-target.ts";
import { plausibleMs } from "./reply-facts.ts";
import type { TransportReply } from "./transport.ts";

const hours = 3_600_000;

describe("a time that a server tells of a call", () => {
  it.each([[-1], [Number.NaN], [-Infinity], ["5"], [5n], [true], [undefined], [null]])(
    "is not told where it is %s",
    (told) => expect(plausibleMs(told, 1_000)).toBeUndefined(),
  );

  it("is cut to little more than the call took", () => {
    for (const told of [Infinity, 1e300, 5 * hours]) expect(plausibleMs(told, 40)).toBe(140);
    expect([plausibleMs(40, 40), plausibleMs(0, 40), plausibleMs(5, -1)]).toEqual([40, 0, 5]);
  });

  it("leaves no time before the call was sent, whatever its parts are", () => {
    const parameters = { spillway_service_ms: 5 * hours, spillway_queued_ms: 5 * hours };
    expect(toldTimes({ parameters }, { durationMs: undefined }, 40)).toEqual({
      serviceMs: 140,
      serverQueuedMs: 100,
    });
  });

  it("is not believed of a real answer, in its parameters nor its headers", async () => {
    for (const [service, header] of [
      ["1e300", "1e300"],
      ["-5", "-5"],
      ["NaN", "NaN"],
      ['"9"', "9 years"],
    ]) {
      const url = await scripted((_, response) => {
        const head = { "x-fc-invocation-duration": header, "x-spillway-cold-start-ms": header };
        response.writeHead(200, head);
        response.end(
          `{"parameters":{"spillway_service_ms":${service},"spillway_queued_ms":${service}},` +
            '"outputs":[{"name":"y","datatype":"FP32","shape":[1,1],"data":[1]}]}',
        );
      });
      const beganAtMs = performance.now();
      const result = await send(httpTarget(url), call("a", 1));
      const mostMs = performance.now() - beganAtMs + 100;
      expect(result).toMatchObject({ ok: true });
      if (!result.ok) continue;
      for (const ms of [result.serviceMs, result.serverQueuedMs, result.coldStartMs]) {
        expect(ms ?? 0).toBeGreaterThanOrEqual(0);
        expect(ms ?? 0).toBeLessThanOrEqual(mostMs);
      }
    }
  });
});

it("counts no call as dearer than the longest one, so that no function can use up the money", async () => {
  const costOf = (durationMs: number): number => durationMs / 1_000;
  for (const [cost, counted] of [
    [1e300, 70],
    [Infinity, 70],
    [Number.NaN, 0],
    [-1e9, 0],
  ] as const) {
    const limits = { perHour: 1_000, perDay: 1_000 };
    const cap = new SpendCap({ limits, currency: "CNY", longestCallMs: 70_000, nowMs: 0 });
    const reply: TransportReply = {
      status: 200,
      wire: { body: new Uint8Array() },
      durationMs: 1,
      coldStartMs: 0,
      mayHaveStarted: false,
      cost,
    };
    const inner = { call: () => Promise.resolve(reply), close: () => Promise.resolve() };
    const transport = cappedTransport(inner, { cap, functionTimeoutMs: 60_000, costOf, nowMs: () => 0 });
    expect((await transport.call("m", reply.wire, 1_000)).cost).toBe(counted);
    expect(cap.status(0).hour.spent).toBe(counted);
  }
});
