/** What several owners of a model keep to, in memory and on real servers that pin owners. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Engine, joinNats } from "../../../../../base/nats/engine.ts";
import { natsAddress } from "../../../../../base/nats/nats-address.ts";
import { MemoryEngine } from "../../../../../test/support/memory-bus.ts";
import { natsPrograms, startNats } from "../../../../../test/support/nats-server.ts";
import { JetStreamBus } from "../jetstream-bus.ts";
import type { BusDelivery, ModelOwners, RequestBus } from "../request-bus.ts";
import type { OwnerShare } from "../../../../targets/share-out.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const empty = new Uint8Array();
const edges = ["x", "y", "z", "w"];

interface SplitWorld {
  /** A daemon's own view of the engine. */
  bus(): Promise<RequestBus>;
  /** Takes what it holds with it. */
  kill(bus: RequestBus): Promise<void>;
  stop(): Promise<void>;
}

interface Owning {
  readonly bus: RequestBus;
  /** Ids of requests, in the order in which they were delivered. */
  readonly taken: string[];
  /** Deliveries that were not answered. */
  readonly held: BusDelivery[];
  leave(): Promise<void>;
}

const pinning = natsPrograms.filter(({ version }) => Number(version.split(".")[1]) >= 11);
const worlds: readonly (readonly [string, () => Promise<SplitWorld>])[] = [
  ["in memory", memoryWorld],
  ...pinning.map((program) => [`nats-server ${program.version}`, () => natsWorld(program)] as const),
];

describe.each(worlds)("a model with several owners, %s", { tags: ["slow"] }, (_, open) => {
  let world: SplitWorld;
  let model = "";
  const opened: RequestBus[] = [];
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

  const bus = async (): Promise<RequestBus> => {
    const made = await world.bus();
    opened.push(made);
    return made;
  };

  /** An owner that answers what it takes, unless it holds it. */
  const owning = async (holds = false, reached: readonly string[] = edges): Promise<Owning> => {
    const own = await bus();
    const [taken, held]: [string[], BusDelivery[]] = [[], []];
    const ownership = own.own(
      model,
      {
        take: (delivery) => {
          taken.push(delivery.key.split(".")[1] as string);
          if (holds) held.push(delivery);
          else void delivery.finish({ headers: {}, body: empty }).catch(() => {});
        },
        cancel: () => {},
      },
      () => new Map(reached.map((edge) => [edge, 1])),
    );
    return { bus: own, taken, held, leave: () => ownership.leave() };
  };

  const submit = async (front: RequestBus, count: number): Promise<string[]> => {
    const ids = Array.from({ length: count }, () => randomUUID());
    await Promise.all(
      ids.map((id) => front.submit({ id, model, headers: {}, body: empty, withinMs: 60_000 })),
    );
    return ids;
  };

  const answered = async (front: RequestBus, ids: readonly string[]): Promise<void> => {
    for (const id of ids)
      await expect.poll(() => front.resultOf(id), { timeout: 20_000 }).not.toBeUndefined();
  };

  /** Waits until everybody knows who the owners are. */
  const shared = async (all: readonly Owning[], owners: number): Promise<void> => {
    for (const each of all) await expect.poll(() => sharesOf(each).size, { timeout: 10_000 }).toBe(owners);
  };
  const sharesOf = (each: Owning): ReadonlyMap<string, OwnerShare> =>
    ownersOf(each.bus).sharesOf(model) ?? new Map<string, OwnerShare>();

  /** Sends until each of those was given something, and each request was answered. */
  const untilAllTake = async (front: RequestBus, all: readonly Owning[]): Promise<void> => {
    await expect
      .poll(
        async () => {
          for (const each of all) each.taken.length = 0;
          await answered(front, await submit(front, 40));
          return all.filter((each) => each.taken.length >= 5).length;
        },
        { timeout: 20_000 },
      )
      .toBe(all.length);
  };

  it("has its requests shared out, each answered once, and each edge planned with by one of them", async () => {
    const [front, first, second] = [await bus(), await owning(), await owning()];
    await ownersOf(front).split(model, 2);
    await shared([first, second], 2);
    await untilAllTake(front, [first, second]);
    const ids = await submit(front, 100);
    await answered(front, ids);
    const taken = [...first.taken, ...second.taken].filter((id) => ids.includes(id));
    expect(taken.toSorted()).toEqual(ids.toSorted());
    const shares = [...sharesOf(first).values()];
    expect(shares.map((share) => share.edges.length)).toEqual([2, 2]);
    expect(shares.flatMap((share) => share.edges).toSorted()).toEqual(edges.toSorted());
    expect(sharesOf(second)).toEqual(sharesOf(first));
  });

  it("has one owner for all of its parts while there is no other, who hands its share over to one that comes", async () => {
    const [front, first] = [await bus(), await owning()];
    await ownersOf(front).split(model, 2);
    await shared([first], 1);
    await answered(front, await submit(front, 30));
    expect(first.taken.length).toBe(30);
    const second = await owning();
    await shared([first, second], 2);
    await untilAllTake(front, [first, second]);
  });

  it("goes on with those that are left when an owner is killed, and nothing is lost", async () => {
    const [front, first, second] = [await bus(), await owning(), await owning(true)];
    await ownersOf(front).split(model, 2);
    await shared([first, second], 2);
    const ids: string[] = [];
    // The next in line may be given the first requests of a part.
    await expect
      .poll(
        async () => {
          ids.push(...(await submit(front, 10)));
          return second.held.length;
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0);
    await world.kill(second.bus);
    opened.splice(opened.indexOf(second.bus), 1);
    ids.push(...(await submit(front, 40)));
    await answered(front, ids);
    await shared([first], 1);
    expect(sharesOf(first).get(ownersOf(first.bus).name)?.edges.length).toBe(edges.length);
  });

  it("hands an owner's parts over when it leaves", async () => {
    const [front, first, second] = [await bus(), await owning(), await owning()];
    await ownersOf(front).split(model, 2);
    await shared([first, second], 2);
    await untilAllTake(front, [first, second]);
    await second.leave();
    second.taken.length = 0;
    await answered(front, await submit(front, 40));
    expect(second.taken).toEqual([]);
  });

  it("loses nothing while it gets more owners, and fewer again", async () => {
    const front = await bus();
    const all = [await owning(), await owning(), await owning()];
    const ids = await submit(front, 20);
    for (const owners of [2, 3, 1]) {
      const sent = submit(front, 30);
      await ownersOf(all[0]?.bus as RequestBus).split(model, owners);
      ids.push(...(await sent), ...(await submit(front, 30)));
      await shared(all, owners);
    }
    ids.push(...(await submit(front, 20)));
    await answered(front, ids);
    expect(ownersOf(front).splitOf(model)).toEqual({
      ...ownersOf(front).splitOf(model),
      owners: 1,
      parts: 12,
    });
  });

  it("has no owner that is given an edge which it does not reach", async () => {
    const [front, first, second] = [await bus(), await owning(false, ["x"]), await owning(false, ["x"])];
    await ownersOf(front).split(model, 2);
    await shared([first, second], 1);
    const third = await owning(false, ["y"]);
    await shared([first, second, third], 2);
    expect(sharesOf(first).get(ownersOf(third.bus).name)?.edges).toEqual(["y"]);
  });
});

function ownersOf({ owners }: RequestBus): ModelOwners {
  if (owners === undefined) throw new Error("the engine has no pins");
  return owners;
}

async function memoryWorld(): Promise<SplitWorld> {
  const engine = new MemoryEngine({ mostRequests: 1_000, ackWaitMs: 1_000 });
  let count = 0;
  return {
    bus: async () => engine.bus(`f${count++}`),
    kill: async (bus) => (bus as ReturnType<MemoryEngine["bus"]>).die(),
    stop: async () => {},
  };
}

async function natsWorld(program: (typeof natsPrograms)[number]): Promise<SplitWorld> {
  const server = await startNats({ program });
  const engines = new Map<RequestBus, Engine>();
  const join = [natsAddress(server.address)];
  return {
    bus: async () => {
      const engine = await joinNats({ join }, { as: "test", env: {}, log: silent });
      const limits = { window: 256, ackWaitMs: 1_000, pinMs: 1_500, mostStoredBytes: 2 ** 22 };
      const made = await JetStreamBus.open(engine, { ...limits, log: silent });
      engines.set(made, engine);
      return made;
    },
    kill: async (bus) => {
      await engines.get(bus)?.connection.close();
    },
    stop: async () => {
      await Promise.all([...engines.values()].map((engine) => engine.close()));
      await server.stop();
    },
  };
}
