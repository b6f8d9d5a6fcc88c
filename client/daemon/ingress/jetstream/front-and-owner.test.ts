import { setMaxListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { SpillwayError } from "../../../../base/errors.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { codecHere } from "../../../../protocol/server/message-codec.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../../protocol/tensor.ts";
import { MemoryEngine } from "../../../../test/support/memory-bus.ts";
import { smallDaemon, type SmallDaemonOptions } from "../../../../test/support/small-daemon.ts";
import { requestFacts, sentError, answerIn, sentRequest } from "./bus-message.ts";
import { Front } from "./front.ts";
import { Owner, type OwnerCounts } from "./owner.ts";

const metadata = {
  name: "double",
  versions: ["1"],
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
} as unknown as SmallDaemonOptions["metadata"];

const doubled: SmallDaemonOptions["serve"] = ({ inputs }) => {
  const [x] = inputs;
  if (x === undefined) throw new Error("no input");
  return [
    tensorFromNumbers(
      "y",
      "FP32",
      x.shape,
      Array.from(tensorToNumbers(x), (value) => 2 * value),
    ),
  ];
};

function requestOf(value: number): InferRequest {
  return { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [value])] };
}

const nobodyLeft = new AbortController().signal;
setMaxListeners(0, nobodyLeft);
const log = { warn: () => {}, error: () => {} };

/** A front, and an owner over a small daemon, on one engine. */
async function rig(options: Partial<SmallDaemonOptions> = {}, mostRequests = 100) {
  const engine = new MemoryEngine({ mostRequests: 1_000, ackWaitMs: 500 });
  const { daemon, calls } = await smallDaemon({ metadata, serve: doubled, ...options });
  const counts: OwnerCounts = { taken: 0, again: 0, answered: 0, failed: 0, doubled: 0, expired: 0 };
  const bounds = { mostRequests, mostBytes: 2 ** 20, graceMs: 2_000 };
  const front = new Front({ bus: engine.bus("front"), codec: codecHere, ...bounds });
  const own = (bus = engine.bus("owner")) =>
    new Owner({ model: "double", bus, daemon, codec: codecHere, workingMs: 100, log, counts });
  const ask = (value: number, withinMs = 5_000, left = nobodyLeft, model = "double") =>
    front.submit({ model, request: requestOf(value), bytes: 4 }, withinMs, left);
  return { engine, front, own, ask, counts, calls };
}

function valueOf({ answer }: Awaited<ReturnType<Front["submit"]>>): number {
  return Number(tensorToNumbers(answer.outputs[0] as never)[0]);
}

describe("a front and an owner", { tags: ["slow"] }, () => {
  it("answer each caller with the caller's own answer, in batches of the owner's queue", async () => {
    const { own, ask, counts, calls } = await rig();
    own();
    const values = Array.from({ length: 20 }, (_, index) => index + 1);
    const served = await Promise.all(values.map((value) => ask(value)));
    expect(served.map(valueOf)).toEqual(values.map((value) => 2 * value));
    expect(served[0]).toMatchObject({ target: "edge", outcome: "served" });
    expect(calls.length).toBeLessThan(20);
    expect(counts).toMatchObject({ taken: 20, answered: 20, doubled: 0 });
  });

  it("hand on the error of a request with its code", async () => {
    const { own, ask } = await rig({ serve: () => ({ status: 400, error: "a bad row" }) });
    own();
    await expect(ask(1)).rejects.toMatchObject({
      code: "request_rejected",
      message: expect.stringContaining("a bad row"),
    });
  });

  it("cancel at the owner what a caller left", async () => {
    const { own, ask, counts } = await rig({ serviceMs: 300 });
    own();
    const left = new AbortController();
    const asked = ask(1, 5_000, left.signal);
    await expect.poll(() => counts.taken).toBe(1);
    left.abort();
    await expect(asked).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(() => counts.failed).toBe(1);
  });

  it("refuse more than may wait, and what is too large for one message", async () => {
    const { ask, front } = await rig({}, 2);
    const held = [ask(1), ask(2)];
    await expect(ask(3)).rejects.toMatchObject({ code: "queue_full" });
    const request: InferRequest = {
      parameters: {},
      inputs: [
        tensorFromNumbers(
          "x",
          "FP32",
          [300_000, 1],
          Array.from({ length: 300_000 }, () => 1),
        ),
      ],
    };
    await expect(
      front.submit({ model: "double", request, bytes: 1 }, 1_000, nobodyLeft),
    ).rejects.toMatchObject({
      code: "request_too_large",
      message: expect.stringContaining("max_payload"),
    });
    front.close();
    for (const asked of held) await expect(asked).rejects.toMatchObject({ code: "queue_closed" });
    await expect(ask(4)).rejects.toMatchObject({ code: "queue_closed" });
  });

  it("tell a caller that nobody took the request in its time", async () => {
    const { ask, front } = await rig();
    await expect(ask(1, 300)).rejects.toMatchObject({ code: "deadline_passed" });
    expect(front.size).toBe(0);
  });

  it("answer a caller whose result nobody told of, once the connection is back", async () => {
    const { own, ask, engine, front, counts } = await rig();
    engine.fronts.set("front", () => {});
    own();
    const asked = ask(4);
    await expect.poll(() => counts.answered).toBe(1);
    await front.lookForAll();
    expect(valueOf(await asked)).toBe(8);
  });

  it("have one result count when two owners answer the same request", async () => {
    const { own, ask, engine, counts } = await rig({ serviceMs: 50 });
    const slow = engine.bus("slow");
    const taken: Parameters<Parameters<typeof slow.own>[1]["take"]>[0][] = [];
    slow.own("double", { take: (delivery) => void taken.push(delivery), cancel: () => {} });
    const asked = ask(3);
    await expect.poll(() => taken.length).toBe(1);
    slow.die();
    own();
    expect(valueOf(await asked)).toBe(6);
    expect(await taken[0]?.finish(sentError(new SpillwayError("target_fault")))).toBe(false);
    expect(counts).toMatchObject({ taken: 1, again: 1, answered: 1 });
  });

  it("have a request wait whose target cannot be reached, and refuse it when its deadline comes first", async () => {
    let isCut = true;
    const { own, front, calls } = await rig({
      serve: (request) => {
        if (isCut) throw new SpillwayError("target_unreachable", "the uplink is cut");
        return doubled(request);
      },
    });
    own();
    const asked = (value: number, withinMs: number) => {
      const request = { ...requestOf(value), parameters: { timeout: 1_000 * withinMs } };
      return front.submit({ model: "double", request, bytes: 4 }, withinMs, nobodyLeft);
    };
    const waiting = asked(4, 30_000);
    await expect(asked(5, 700)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:deadline_passed|target_unreachable)$/),
    });
    await expect.poll(() => calls.length, { timeout: 15_000 }).toBeGreaterThan(6);
    isCut = false;
    expect(valueOf(await waiting)).toBe(8);
  });

  it("give up a request that was delivered again and again", async () => {
    const { own, ask, engine } = await rig();
    const killer = engine.bus("killer");
    let deaths = 0;
    killer.own("double", {
      take: (delivery) => {
        if (++deaths < 11) delivery.giveBack();
        else {
          killer.die();
          own();
          delivery.giveBack();
        }
      },
      cancel: () => {},
    });
    await expect(ask(3)).rejects.toMatchObject({
      code: "target_fault",
      message: expect.stringContaining("deliveries"),
    });
  });

  it("have what was taken answered before the owner leaves", async () => {
    const { own, ask, counts } = await rig({ serviceMs: 100 });
    const owner = own();
    const asked = ask(5);
    await expect.poll(() => counts.taken).toBe(1);
    await owner.leave();
    expect(counts.answered).toBe(1);
    expect(valueOf(await asked)).toBe(10);
  });
});

describe("messages", () => {
  it("say lane, tenant, key and trace in headers, whatever is in them", () => {
    const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const hints = { lane: "real time", tenant: "Zoë 100%", key: "k\r\nevil: 1", trace };
    const { headers } = sentRequest({ model: "m\n1", request: requestOf(1), bytes: 4, hints }, 250.2);
    for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
    expect(requestFacts(headers)).toEqual({ withinMs: 251, hints });
  });

  it("of a result that makes no sense become an error, not an answer", async () => {
    const body = Buffer.from("{");
    await expect(answerIn({ headers: {}, body }, "m", codecHere)).rejects.toMatchObject({ status: 502 });
    const odd = { headers: { "spillway-status": "200" }, body };
    await expect(answerIn(odd, "m", codecHere)).rejects.toThrow();
    const unknown = { headers: { "spillway-error": "toString", "spillway-status": "500" }, body };
    await expect(answerIn(unknown, "m", codecHere)).rejects.toMatchObject({ status: 500 });
  });
});
