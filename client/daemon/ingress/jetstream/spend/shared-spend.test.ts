import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsAddress } from "../../../../../base/nats/nats-address.ts";
import { type Engine, joinNats } from "../../../../../base/nats/engine.ts";
import { freePorts } from "../../../../../test/support/free-ports.ts";
import {
  natsPrograms,
  whyNoNats,
  type NatsServer,
  startNats,
} from "../../../../../test/support/nats-server.ts";
import { SpendCap } from "../../../../targets/spend-cap.ts";
import { SharedSpend } from "./shared-spend.ts";
import { type CountedSpend, SpendCounter } from "./spend-counter.ts";

const log = { info: () => {}, warn: () => {}, error: () => {} };
const currency = "CNY";
const minuteMs = 60_000;

/** A counter in memory, as a server keeps one; `adding` runs before an amount is counted. */
class MemoryCounter implements CountedSpend {
  readonly counted = new Map<number, number>();
  isConnected = true;
  most = 0;
  adding: () => Promise<void> = () => Promise.resolve();

  async add(minute: number, amount: number): Promise<void> {
    await this.adding();
    this.counted.set(minute, (this.counted.get(minute) ?? 0) + amount);
    this.most = Math.max(this.most, this.sum);
    await Promise.resolve();
  }

  get sum(): number {
    return [...this.counted.values()].reduce((sum, each) => sum + each, 0);
  }
}

function shared(counter: CountedSpend, perHour = 1, perDay = Infinity): SharedSpend {
  return new SharedSpend({ counter, limits: { perHour, perDay }, currency, longestCallMs: 70_000 });
}

/** Takes as soon as it is granted; undefined when the cap is reached. */
async function taken(spend: SharedSpend, amount: number, nowMs: number): Promise<number | undefined> {
  for (;;) {
    const got = spend.take(amount, nowMs);
    if ("share" in got) return got.share;
    if (got.isReached) return undefined;
    await delay(1);
  }
}

describe("money that daemons spend together", () => {
  it("is asked for first, then taken at once, and refused above the limit with what is spent", async () => {
    const counter = new MemoryCounter();
    const spend = shared(counter);
    expect(spend.take(0.3, 0)).toMatchObject({
      isReached: false,
      why: expect.stringContaining("is asked for"),
    });
    for (let nth = 0; nth < 3; nth++) expect(await taken(spend, 0.3, 0)).toBe(0);
    await delay(1);
    expect(spend.take(0.3, 0)).toMatchObject({
      isReached: true,
      why: expect.stringMatching(
        /share is reached: 0\.9 of 1 CNY for an hour are spent or held; a call may cost 0\.3/,
      ),
    });
    expect(spend.spent(0).hour).toBeCloseTo(0.9);
  });

  it("leaves nothing counted that was asked for and not spent when its daemon stops", async () => {
    const counter = new MemoryCounter();
    const spend = shared(counter);
    expect(spend.take(0.3, 0)).toMatchObject({ isReached: false });
    await spend.close();
    expect(counter.most).toBeGreaterThan(0);
    expect(counter.sum).toBe(0);
  });

  it("holds for any number of daemons: none is paid above the limit, however they meet", async () => {
    const counter = new MemoryCounter();
    const daemons = Array.from({ length: 8 }, () => shared(counter));
    let paid = 0;
    await Promise.all(
      daemons.map(async (spend) => {
        while ((await taken(spend, 0.004, 0)) !== undefined) paid += 0.004;
      }),
    );
    expect(paid).toBeLessThanOrEqual(1);
    // Each holds less than one call of what nobody spent, and one that it asked for.
    expect(paid).toBeGreaterThan(1 - 8 * 3 * 0.01);
    expect(counter.most / 1e9).toBeLessThanOrEqual(1 + 8 * 0.01);
  });

  it("counts until a call that was paid with it is over for an hour, and no longer than minutes more", async () => {
    const spend = shared(new MemoryCounter());
    expect(await taken(spend, 0.9, 0)).toBe(0);
    expect(await taken(spend, 0.9, 3_600_000 + 70_000)).toBeUndefined();
    expect(await taken(spend, 0.9, 3_600_000 + 70_000 + 3 * minuteMs)).toBe(64);
  });

  it("comes back where a call cost less, and where a minute ends with some left", async () => {
    const counter = new MemoryCounter();
    const [spend, other] = [shared(counter), shared(counter)];
    const share = (await taken(spend, 0.9, 0)) as number;
    expect(await taken(other, 0.9, 1)).toBeUndefined();
    spend.giveBack(share, 0.8, 2);
    spend.turn(minuteMs);
    await delay(1);
    expect(counter.sum / 1e9).toBeCloseTo(0.1);
    expect(await taken(other, 0.8, minuteMs)).toBe(1);
    other.giveBack(1, 0.8, 2 * minuteMs);
    await delay(1);
    expect(counter.sum / 1e9).toBeCloseTo(0.1);
  });

  it("is not spent while nobody can be asked", async () => {
    const counter = new MemoryCounter();
    const spend = shared(counter);
    counter.isConnected = false;
    expect(spend.take(0.1, 0)).toMatchObject({
      isReached: false,
      why: expect.stringContaining("no connection"),
    });
    counter.isConnected = true;
    counter.adding = () => Promise.reject(new Error("timeout"));
    spend.take(0.1, 0);
    await delay(1);
    expect(spend.take(0.1, 0)).toMatchObject({ why: expect.stringContaining("(timeout)") });
    expect(counter.sum).toBe(0);
  });

  it("caps a daemon beside its own limits, and calls none before it is known", async () => {
    const limits = { perHour: 1, perDay: Infinity };
    const cap = new SpendCap({ limits, currency, longestCallMs: 1, nowMs: 0, isShared: true });
    expect(cap.reserve(0.1, 0)).toMatchObject({ why: expect.stringContaining("before it is known") });
    const spend = shared(new MemoryCounter());
    cap.share(spend);
    cap.reserve(0.6, 0);
    await delay(1);
    const held = cap.reserve(0.6, 0);
    expect(held).toMatchObject({ amount: 0.6, share: 0 });
    expect(cap.status(0)).toMatchObject({ isReached: false, shared: { hour: 0.6 } });
    if ("why" in held) throw new Error(held.why);
    cap.settle(held, 0.1, 0);
    expect(cap.reserve(0.45, 0)).toMatchObject({ amount: 0.45 });
  });
});

describe.each(natsPrograms)("counted by nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  const engines: Engine[] = [];
  const counters: SpendCounter[] = [];
  const counter = async (): Promise<SpendCounter> => {
    const engine = await joinNats({ join: [natsAddress(nats.address)] }, { as: "test", env: {}, log });
    const made = await SpendCounter.open(engine, { domain: undefined, currency, log });
    engines.push(engine);
    counters.push(made);
    return made;
  };
  beforeAll(async () => {
    nats = await startNats({ program });
  });
  afterAll(async () => {
    await Promise.all(counters.map((each) => each.close()));
    await Promise.all(engines.map((engine) => engine.close()));
    await nats.stop();
  });

  it("whoever adds has seen what was counted before, whether the server adds or not", async () => {
    const [one, other] = [await counter(), await counter()];
    expect(one.adds).toBe(Number(program.version.split(".")[1]) >= 12);
    await one.add(7, 5);
    await other.add(7, 3);
    expect(other.counted.get(7)).toBe(8);
    await one.add(8, 10);
    await one.add(7, -4);
    expect(Object.fromEntries(one.counted)).toEqual({ 7: 4, 8: 10 });
    const late = await counter();
    await late.add(9, 1);
    expect(Object.fromEntries(late.counted)).toEqual({ 7: 4, 8: 10, 9: 1 });
  });

  it("an amount counts as seen once it was, also in a stream that was made anew", async () => {
    const one = await counter();
    for (let nth = 0; nth < 5; nth++) await one.add(7, 1);
    const { manager } = engines.at(-1) as Engine;
    await manager.streams.delete("SPILL_SPEND");
    const [other] = [await counter()];
    await other.add(20, 3);
    await expect.poll(() => one.counted.get(20)).toBe(3);
    for (let nth = 0; nth < 3; nth++) {
      await other.add(20, 1);
      await one.add(20, 1);
      expect(one.counted.get(20)).toBe(5 + 2 * nth);
    }
  });

  it("four daemons together are paid up to the limit, and never more, while the server is killed", async () => {
    const made = await Promise.all([counter(), counter(), counter(), counter()]);
    const nowMs = 10_000 * minuteMs;
    let paid = 0;
    const running = made.map(async (each) => {
      const spend = shared(each, 1);
      while ((await taken(spend, 0.005, nowMs)) !== undefined) {
        paid += 0.005;
        await delay(2);
      }
    });
    await expect.poll(() => paid).toBeGreaterThan(0.2);
    await nats.restart("SIGKILL");
    await Promise.all(running);
    expect(paid).toBeLessThanOrEqual(1 + 1e-9);
    // What was asked for when the server was killed may be counted and not paid.
    expect(paid).toBeGreaterThan(0.8);
  });
});

describe.skipIf(whyNoNats !== undefined)("counted at sites behind leaf nodes", { tags: ["slow"] }, () => {
  const servers: NatsServer[] = [];
  const opened: { close(): Promise<void> }[] = [];
  const counterAt = async (server: NatsServer | undefined, domain?: string): Promise<SpendCounter> => {
    const join = [natsAddress(server?.address ?? "")];
    const engine = await joinNats({ join }, { as: "test", env: {}, log });
    const counter = await SpendCounter.open(engine, { domain, currency, log });
    opened.unshift(counter, engine);
    return counter;
  };
  beforeAll(async () => {
    const [leafPort = 0] = await freePorts(1);
    const remotes = `leafnodes { remotes: [{ url: "nats://127.0.0.1:${leafPort}" }], reconnect: 1 }`;
    servers.push(
      await startNats({ domain: "hub", lines: [`leafnodes { listen: "127.0.0.1:${leafPort}" }`] }),
      await startNats({ domain: "north", lines: [remotes] }),
      await startNats({ domain: "south", lines: [remotes] }),
    );
  });
  afterAll(async () => {
    for (const each of opened) await each.close();
    for (const server of servers) await server.stop();
  });

  it("no site counts what another does, unless both count at the hub", async () => {
    const [hub, ...sites] = servers;
    const [north, south] = await Promise.all(sites.map((site) => counterAt(site)));
    await north?.add(7, 5);
    await south?.add(7, 300);
    expect([north?.counted.get(7), south?.counted.get(7)]).toEqual([5, 300]);
    const [one, other] = await Promise.all(sites.map((site) => counterAt(site, "hub")));
    await one?.add(7, 1);
    await other?.add(7, 2);
    const late = await counterAt(hub);
    await late.add(8, 1);
    expect(Object.fromEntries(late.counted)).toEqual({ 7: 3, 8: 1 });
    expect(north?.counted.get(7)).toBe(5);
  });
});
