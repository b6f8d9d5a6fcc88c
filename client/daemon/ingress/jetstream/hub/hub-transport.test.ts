import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { MemoryEngine } from "../../../../../test/support/memory-bus.ts";
import { SpillwayError } from "../../../../../base/errors.ts";
import type { HttpTransport } from "../../../../transports/http-transport.ts";
import { NotSentFailure } from "../../../../transports/transport.ts";
import type { BusDelivery, BusResult } from "../request-bus.ts";
import { sentError } from "../bus-message.ts";
import { hubTransport, type HubTransportOptions } from "./hub-transport.ts";

const wire = { body: new TextEncoder().encode('{"inputs":[]}') };
const answered: BusResult = {
  headers: { "spillway-status": "200" },
  body: new TextEncoder().encode('{"outputs":[]}'),
};

/** A site's way to a hub in memory, where `serve` takes what is sent. */
function rig(
  serve: (delivery: BusDelivery) => void,
  given: Partial<HubTransportOptions> & { readonly mostRequests?: number } = {},
) {
  const { mostRequests = 10, ...options } = given;
  const engine = new MemoryEngine({ mostRequests, ackWaitMs: 60_000, mostBytes: 1_000 });
  const taken: BusDelivery[] = [];
  engine.bus("owner").own("m", {
    take: (delivery) => {
      taken.push(delivery);
      serve(delivery);
    },
    cancel: (key) => void cancelled.push(key),
  });
  const cancelled: string[] = [];
  const nobody: HttpTransport["get"] = () =>
    Promise.reject(new NotSentFailure("target_unreachable", "nobody takes calls there"));
  const hub = hubTransport({
    name: "hub",
    bus: engine.bus("site"),
    models: () => Promise.resolve(["m", "n"]),
    questions: { get: nobody, close: () => Promise.resolve() },
    refusal: () => undefined,
    ...options,
  });
  return { engine, hub, taken, cancelled };
}

const answers = (delivery: BusDelivery): void => void delivery.finish(answered);
const never = (): void => {};

describe("a call to a hub", () => {
  it("is a request in the queue of its model, with the time that is left for it, and has its answer", async () => {
    const { hub, taken } = rig(answers);
    const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const reply = await hub.call("m", wire, 5_000, undefined, trace, 700);
    expect(reply).toMatchObject({ status: 200, wire: { body: answered.body }, cost: 0 });
    expect(taken[0]).toMatchObject({ body: wire.body, headers: { "spillway-model": "m", ...trace } });
    expect(taken[0]?.headers["spillway-within-ms"]).toBe("700");
    await hub.close();
  });

  it("tells what its owner says: a full queue and a time that was too short say nothing of its health", async () => {
    const errors = [
      new SpillwayError("queue_full", "full", { retryAfterMs: 300 }),
      new SpillwayError("deadline_passed"),
      new SpillwayError("request_rejected", "it has no such input"),
    ];
    const { hub } = rig((delivery) => void delivery.finish(sentError(errors.shift())));
    await expect(hub.call("m", wire, 5_000)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 300 });
    await expect(hub.call("m", wire, 5_000)).rejects.toMatchObject({
      code: "target_timeout",
      isOfTarget: false,
    });
    const refused = await hub.call("m", wire, 5_000);
    expect(refused.status).toBe(400);
    expect(new TextDecoder().decode(refused.wire.body)).toContain("it has no such input");
    await hub.close();
  });

  it("is taken back when nobody answers it in time", async () => {
    const { hub, cancelled, taken } = rig(never);
    await expect(hub.call("m", wire, 50)).rejects.toMatchObject({ code: "target_timeout" });
    expect(cancelled).toEqual([taken[0]?.key]);
    await hub.close();
  });

  it("finds its answer by looking, where nobody told of it", async () => {
    const { engine, hub } = rig((delivery) => {
      engine.fronts.delete("site");
      void delivery.finish(answered);
    });
    expect((await hub.call("m", wire, 20_000)).status).toBe(200);
    await hub.close();
  });

  it("fails at once, and costs nothing, when the hub takes no more or is away", async () => {
    const full = rig(never, { mostRequests: 0 });
    await expect(full.hub.call("m", wire, 5_000)).rejects.toMatchObject({ code: "overloaded", cost: 0 });
    await full.hub.close();

    const submit = (): Promise<void> => {
      const cause = Object.assign(new Error("no responders"), { name: "JetStreamNotEnabled" });
      return Promise.reject(new SpillwayError("target_unavailable", "not taken", { cause }));
    };
    const engine = new MemoryEngine({ mostRequests: 1, ackWaitMs: 1_000 });
    const away = rig(never, { bus: { ...engine.bus("site"), submit } });
    await expect(away.hub.call("m", wire, 5_000)).rejects.toMatchObject({
      code: "target_unreachable",
      cost: 0,
    });
    await away.hub.close();
  });

  it("is refused when it is too large, when no time is left, and where hubs go in a circle", async () => {
    const { hub, engine } = rig(answers);
    const large = { body: new Uint8Array(1_001) };
    await expect(hub.call("m", large, 5_000)).rejects.toMatchObject({ code: "request_too_large", cost: 0 });
    await expect(hub.call("m", wire, 5_000, undefined, undefined, 0)).rejects.toMatchObject({
      code: "target_timeout",
      cost: 0,
    });
    expect(engine.queued.size).toBe(0);
    await hub.close();

    const round = rig(answers, { refusal: () => new SpillwayError("target_unreachable", "round") });
    await expect(round.hub.call("m", wire, 5_000)).rejects.toMatchObject({ message: "round" });
    await expect(round.hub.get("/v2/health/ready", 1_000)).rejects.toMatchObject({ message: "round" });
    await round.hub.close();
  });

  it("ends when the way is closed", async () => {
    const { hub } = rig(never);
    const call = hub.call("m", wire, 60_000);
    await delay(1);
    const failed = expect(call).rejects.toMatchObject({ code: "target_unreachable" });
    await hub.close();
    await failed;
  });
});

describe("questions to a hub", () => {
  const told = async (asked: Promise<{ readonly status: number; readonly body: Uint8Array }>) => {
    const { status, body } = await asked;
    return [status, JSON.parse(new TextDecoder().decode(body))] as const;
  };

  it("are answered from what is owned there; one about a model goes to a daemon that serves it", async () => {
    const { hub } = rig(never);
    expect(await told(hub.get("/v2/health/ready", 1_000))).toEqual([200, { ready: true }]);
    expect(await told(hub.get("/v2/models", 1_000))).toEqual([200, { models: ["m", "n"] }]);
    const index = ["m", "n"].map((name) => ({ name, state: "READY" }));
    expect(await told(hub.post("/v2/repository/index", 1_000))).toEqual([200, index]);
    expect((await hub.post("/v2/repository/models/m/load", 1_000)).status).toBe(403);
    expect((await hub.get("/v2/models/other", 1_000)).status).toBe(404);
    await expect(hub.get("/v2/models/m", 1_000)).rejects.toMatchObject({ code: "target_unreachable" });
    await hub.close();
  });

  it("fail when the hub does not answer in time", async () => {
    const { hub } = rig(never, { models: () => new Promise(() => {}) });
    await expect(hub.get("/v2/health/ready", 20)).rejects.toMatchObject({ code: "target_unreachable" });
    await hub.close();
  });
});
