/** One contract for the bus in memory and for real servers of each version that is installed. */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { joinNats, type Engine } from "../../../../base/nats/engine.ts";
import { engineNames } from "../../../../base/nats/engine-names.ts";
import { natsAddress } from "../../../../base/nats/nats-address.ts";
import { MemoryEngine } from "../../../../test/support/memory-bus.ts";
import { natsPrograms, type NatsServer, startNats } from "../../../../test/support/nats-server.ts";
import { JetStreamBus } from "./jetstream-bus.ts";
import type { BusRequest, BusResult, BusDelivery, RequestBus } from "./request-bus.ts";

const { largeBodies } = engineNames();

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const bodyOf = (text: string) => new Uint8Array(Buffer.from(text));
const textIn = ({ body }: { readonly body: Uint8Array }): string => Buffer.from(body).toString();

interface World {
  /** A daemon's own view of the engine. */
  bus(): Promise<RequestBus>;
  /** Takes what it holds with it. */
  kill(bus: RequestBus): Promise<void>;
  readonly hasPins: boolean;
  readonly hasDeadlines: boolean;
  readonly mostStored: number;
  /** Bodies that are kept beside their messages. */
  bodies(): Promise<number>;
}

/** A front that keeps what it was told. */
function listening(bus: RequestBus): Map<string, BusResult> {
  const told = new Map<string, BusResult>();
  bus.onResult((id, result) => void told.set(id, result));
  return told;
}

function owning(bus: RequestBus, model: string) {
  const taken: BusDelivery[] = [];
  const cancelled: string[] = [];
  const ownership = bus.own(model, {
    take: (delivery) => void taken.push(delivery),
    cancel: (key) => void cancelled.push(key),
  });
  return { taken, cancelled, leave: () => ownership.leave() };
}

function requestOf(model: string, text = "1", withinMs = 60_000): BusRequest {
  return { id: randomUUID(), model, headers: { "spillway-model": "m" }, body: bodyOf(text), withinMs };
}

const worlds: readonly (readonly [string, () => Promise<World & { stop(): Promise<void> }>])[] = [
  ["in memory", memoryWorld],
  ...natsPrograms.map((program) => [`nats-server ${program.version}`, () => natsWorld(program)] as const),
];

describe.each(worlds)("the bus %s", { tags: ["slow"] }, (_, open) => {
  let world: World & { stop(): Promise<void> };
  let model = "";
  const opened: RequestBus[] = [];
  const bus = async (): Promise<RequestBus> => {
    const made = await world.bus();
    opened.push(made);
    return made;
  };
  beforeAll(async () => {
    world = await open();
  });
  afterAll(() => world.stop());
  beforeEach(() => {
    model = `a model.${randomUUID()} *>`;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  it("brings a request to its owner, and the result to the front that asked, and to no other", async () => {
    const [front, other, owner] = [await bus(), await bus(), await bus()];
    const [told, toldOther] = [listening(front), listening(other)];
    const { taken } = owning(owner, model);
    const request = requestOf(model, "what is it?");
    await front.submit(request);
    await expect.poll(() => taken.length).toBe(1);
    const [delivery] = taken as [BusDelivery];
    expect(textIn(delivery)).toBe("what is it?");
    expect(delivery.headers).toMatchObject({ "spillway-model": "m" });
    expect(delivery).toMatchObject({ deliveries: 1, isExpired: false });
    expect(await delivery.finish({ headers: { kind: "a" }, body: bodyOf("a cat") })).toBe(true);
    await expect.poll(() => told.get(request.id)).toBeDefined();
    expect(textIn(told.get(request.id) as BusResult)).toBe("a cat");
    expect(told.get(request.id)?.headers).toMatchObject({ kind: "a" });
    expect(toldOther.size).toBe(0);
    const stored = await front.resultOf(request.id);
    expect(textIn(stored as BusResult)).toBe("a cat");
    expect(await other.resultOf(request.id)).toBeUndefined();
  });

  it("keeps the first result of a request, whoever stores another", async () => {
    const [front, owner] = [await bus(), await bus()];
    const told = listening(front);
    const { taken } = owning(owner, model);
    const request = requestOf(model);
    await front.submit(request);
    await expect.poll(() => taken.length).toBe(1);
    expect(await taken[0]?.finish({ headers: {}, body: bodyOf("first") })).toBe(true);
    expect(await taken[0]?.finish({ headers: {}, body: bodyOf("second") })).toBe(false);
    expect(await front.settle(request.id, { headers: {}, body: bodyOf("third") })).toBe(false);
    await expect.poll(() => told.size).toBe(1);
    expect(textIn(told.get(request.id) as BusResult)).toBe("first");
    expect(textIn((await front.resultOf(request.id)) as BusResult)).toBe("first");
  });

  it("takes the same request once, however often it is handed over", async () => {
    const [front, owner] = [await bus(), await bus()];
    const request = requestOf(model);
    await front.submit(request);
    await front.submit(request);
    const { taken } = owning(owner, model);
    await front.submit(requestOf(model, "last"));
    await expect.poll(() => taken.map(textIn)).toEqual(["1", "last"]);
  });

  it("gives what an owner held to the next when that one dies", async () => {
    const [front, first, second] = [await bus(), await bus(), await bus()];
    const dead = owning(first, model);
    await expect.poll(() => front.hasOwner(model)).toBe(true);
    const request = requestOf(model);
    await front.submit(request);
    await expect.poll(() => dead.taken.length).toBe(1);
    const { taken } = owning(second, model);
    await world.kill(first);
    await expect.poll(() => taken.length, { timeout: 20_000 }).toBe(1);
    expect(taken[0]?.deliveries).toBe(2);
    expect(await taken[0]?.finish({ headers: {}, body: bodyOf("again") })).toBe(true);
  });

  it("leaves a request to an owner that says it is in work", async () => {
    const [front, owner] = [await bus(), await bus()];
    const { taken } = owning(owner, model);
    await front.submit(requestOf(model));
    await expect.poll(() => taken.length).toBe(1);
    const timer = setInterval(() => taken[0]?.working(), 300);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    clearInterval(timer);
    expect(taken.length).toBe(1);
    expect(await taken[0]?.finish({ headers: {}, body: bodyOf("done") })).toBe(true);
  });

  it("hands a model over at once when its owner leaves", async () => {
    const [front, first, second] = [await bus(), await bus(), await bus()];
    const leaving = owning(first, model);
    await front.submit(requestOf(model, "a"));
    await expect.poll(() => leaving.taken.length).toBe(1);
    await leaving.taken[0]?.finish({ headers: {}, body: bodyOf("") });
    const { taken } = owning(second, model);
    await leaving.leave();
    await front.submit(requestOf(model, "b"));
    await expect.poll(() => taken.map(textIn)).toEqual(["b"]);
    expect(leaving.taken.length).toBe(1);
  });

  it("refuses what there is no room for, and takes it when there is", async () => {
    const [front, owner] = [await bus(), await bus()];
    const large = "x".repeat(100_000);
    const refused = async (): Promise<string | undefined> => {
      for (let sent = 0; sent < world.mostStored; sent++)
        try {
          await front.submit(requestOf(model, large));
        } catch (error) {
          return (error as { readonly code?: string }).code;
        }
      return undefined;
    };
    expect(await refused()).toBe("queue_full");
    const { taken } = owning(owner, model);
    await expect
      .poll(async () => {
        for (const delivery of taken.splice(0)) await delivery.finish({ headers: {}, body: bodyOf("") });
        return front.submit(requestOf(model, large)).then(
          () => "taken",
          (error: { readonly code: string }) => error.code,
        );
      })
      .toBe("taken");
    await expect
      .poll(async () => {
        for (const delivery of taken.splice(0)) await delivery.finish({ headers: {}, body: bodyOf("") });
        return taken.length;
      })
      .toBe(0);
  });

  it("carries a request and a result that are larger than a message, and keeps neither", async () => {
    const [front, owner] = [await bus(), await bus()];
    const told = listening(front);
    const { taken } = owning(owner, model);
    const [question, answer] = [randomBytes(1_500_000), randomBytes(1_600_000)];
    const request = { ...requestOf(model), body: new Uint8Array(question) };
    await front.submit(request);
    await expect.poll(() => taken.length).toBe(1);
    expect(question.equals((taken[0] as BusDelivery).body)).toBe(true);
    expect(taken[0]).toMatchObject({ headers: { "spillway-model": "m" }, deliveries: 1, isExpired: false });
    expect(await taken[0]?.finish({ headers: { kind: "a" }, body: new Uint8Array(answer) })).toBe(true);
    await expect.poll(() => told.get(request.id)?.headers).toMatchObject({ kind: "a" });
    expect(answer.equals((told.get(request.id) as BusResult).body)).toBe(true);
    await expect.poll(() => world.bodies()).toBe(0);
  });

  it("gives a large request to the next owner when the first dies, and keeps one result", async () => {
    const [front, first, second] = [await bus(), await bus(), await bus()];
    const dead = owning(first, model);
    await expect.poll(() => front.hasOwner(model)).toBe(true);
    const body = new Uint8Array(randomBytes(1_200_000));
    const request = { ...requestOf(model), body };
    await front.submit(request);
    await expect.poll(() => dead.taken.length).toBe(1);
    const { taken } = owning(second, model);
    await world.kill(first);
    await expect.poll(() => taken.length, { timeout: 20_000 }).toBe(1);
    expect(Buffer.from(body).equals((taken[0] as BusDelivery).body)).toBe(true);
    expect(await taken[0]?.finish({ headers: {}, body })).toBe(true);
    expect(await front.settle(request.id, { headers: {}, body })).toBe(false);
    await expect.poll(() => world.bodies()).toBe(0);
  });

  it("keeps no large request whose caller left", async () => {
    const [front, owner] = [await bus(), await bus()];
    const gone = { ...requestOf(model), body: new Uint8Array(randomBytes(1_200_000)) };
    await front.submit(gone);
    front.withdraw(gone);
    await expect.poll(() => world.bodies()).toBe(0);
    const { taken } = owning(owner, model);
    await front.submit(requestOf(model, "next"));
    await expect.poll(() => taken.map(textIn)).toEqual(["next"]);
  });

  it("takes back a request whose caller left, or tells its owner", async () => {
    const [front, owner] = [await bus(), await bus()];
    const [gone, held] = [requestOf(model, "gone"), requestOf(model, "held")];
    await front.submit(gone);
    front.withdraw(gone);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { taken, cancelled } = owning(owner, model);
    await front.submit(held);
    await expect.poll(() => taken.map(textIn)).toEqual(["held"]);
    front.withdraw(held);
    await expect.poll(() => cancelled.some((key) => key.endsWith(held.id))).toBe(true);
    taken[0]?.drop();
  });

  it("tells the owner of a request whose time is over, where the engine has deadlines", async () => {
    if (!world.hasDeadlines) return;
    const [front, owner] = [await bus(), await bus()];
    const { taken } = owning(owner, model);
    const request = requestOf(model, "late", 1_000);
    await front.submit(request);
    await expect.poll(() => taken.length).toBe(1);
    await expect.poll(() => taken.some(({ isExpired }) => isExpired)).toBe(true);
    const expired = taken.find(({ isExpired }) => isExpired);
    expect(expired?.key).toBe(taken[0]?.key);
    expect(expired?.body.length).toBe(0);
    expired?.drop();
  });

  it("knows which models somebody serves, and whether anybody takes requests now", async () => {
    const [front, owner] = [await bus(), await bus()];
    expect(await front.knows(model)).toBe(false);
    expect(await front.hasOwner(model)).toBe(false);
    const { leave } = owning(owner, model);
    await expect.poll(() => front.knows(model)).toBe(true);
    await expect.poll(() => front.hasOwner(model)).toBe(true);
    await leave();
    await owner.close();
    await expect.poll(() => front.hasOwner(model), { timeout: 20_000 }).toBe(false);
    expect(await front.knows(model)).toBe(true);
  });
});

async function memoryWorld(): Promise<World & { stop(): Promise<void> }> {
  const engine = new MemoryEngine({ mostRequests: 20, ackWaitMs: 1_000, mostBytes: 2 ** 22 });
  let count = 0;
  return {
    bus: async () => engine.bus(`f${count++}`),
    kill: async (bus) => (bus as ReturnType<MemoryEngine["bus"]>).die(),
    hasPins: true,
    hasDeadlines: true,
    mostStored: 30,
    bodies: async () => 0,
    stop: async () => {},
  };
}

async function natsWorld(program: (typeof natsPrograms)[number]): Promise<World & { stop(): Promise<void> }> {
  const server: NatsServer = await startNats({ program });
  const engines = new Map<RequestBus, Engine>();
  const limits = { window: 256, ackWaitMs: 1_000, pinMs: 1_500 };
  const isNew = Number(program.version.split(".")[1]) >= 11;
  return {
    bus: async () => {
      const engine = await joinNats(
        { join: [natsAddress(server.address)] },
        { as: "test", env: {}, log: silent },
      );
      const made = await JetStreamBus.open(engine, {
        ...limits,
        mostStoredBytes: 2 ** 22,
        mostBodyBytes: 2 ** 22,
        log: silent,
      });
      engines.set(made, engine);
      return made;
    },
    kill: async (bus) => {
      await engines.get(bus)?.connection.close();
    },
    hasPins: isNew,
    hasDeadlines: isNew,
    mostStored: 60,
    bodies: async () => {
      const [engine] = engines.values();
      const info = await engine?.manager.streams.info(`OBJ_${largeBodies.bucket}`);
      return info?.state.messages ?? 0;
    },
    stop: async () => {
      await Promise.all([...engines.values()].map((engine) => engine.close()));
      await server.stop();
    },
  };
}
