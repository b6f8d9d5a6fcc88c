/** One contract for jobs in the memory of a daemon and for those on real servers; and what the latter have beside it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Engine, joinNats } from "../../../../../base/nats/engine.ts";
import { natsAddress } from "../../../../../base/nats/nats-address.ts";
import { codecHere } from "../../../../../protocol/server/message-codec.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../../../protocol/tensor.ts";
import {
  type NatsProgram,
  natsPrograms,
  type NatsServer,
  startNats,
} from "../../../../../test/support/nats-server.ts";
import { type SmallDaemonOptions, smallDaemon } from "../../../../../test/support/small-daemon.ts";
import type { Daemon } from "../../../daemon.ts";
import { readJobBody } from "../../jobs/job-body.ts";
import type { JobBook, JobView } from "../../jobs/job-book.ts";
import { Jobs } from "../../jobs/jobs.ts";
import { DurableJobs } from "./durable-jobs.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const bounds = { mostJobs: 100, mostBytes: 2 ** 24, keepMs: 60_000, timeoutMs: 20_000, mostRows: 64 };
const metadata = {
  name: "double",
  versions: ["1"],
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
} as unknown as SmallDaemonOptions["metadata"];

/** Doubles its rows, and refuses those of 13. */
const serve: SmallDaemonOptions["serve"] = ({ inputs }) => {
  const [x] = inputs as [(typeof inputs)[number]];
  const values = [...tensorToNumbers(x)];
  if (values.includes(13)) return { status: 400, error: "13 is unlucky" };
  if (values.includes(99))
    return [
      tensorFromNumbers(
        "y",
        "FP32",
        [1, 300_000],
        Array.from({ length: 300_000 }, () => 0.123456789),
      ),
    ];
  return [
    tensorFromNumbers(
      "y",
      "FP32",
      x.shape,
      values.map((value) => 2 * value),
    ),
  ];
};

interface Keeper {
  readonly jobs: JobBook;
  /** Without a word to anybody. */
  kill(): Promise<void>;
}

interface World {
  /** @param serviceMs of a call of the model */
  keeper(serviceMs?: number): Promise<Keeper>;
  readonly nats?: NatsServer;
  stop(): Promise<void>;
}

async function submitted(jobs: JobBook, values: readonly number[], hints = {}): Promise<string> {
  const text = values.map((value) => JSON.stringify({ x: [value] })).join("\n");
  const sent = { body: new Uint8Array(Buffer.from(text)).buffer, type: "application/x-ndjson" };
  const options = {
    codec: codecHere,
    metadata: metadata as never,
    mostFileBytes: 2 ** 20,
    mostBytes: 2 ** 20,
  };
  return jobs.start("double", await readJobBody(sent, options), hints, sent);
}

interface Line {
  readonly row: number;
  readonly error?: string;
  readonly outputs?: readonly { readonly data: readonly number[] }[];
}

async function linesOf(pieces: AsyncIterable<Uint8Array>): Promise<Line[]> {
  let text = "";
  for await (const piece of pieces) text += Buffer.from(piece).toString();
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Line);
}

const always = new AbortController().signal;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => 100 + index);
const doubles = (values: readonly number[]): number[] => values.map((value) => 2 * value);
const valuesIn = (lines: readonly Line[]): unknown[] => lines.map(({ outputs }) => outputs?.[0]?.data[0]);

async function ended(jobs: JobBook, id: string): Promise<JobView> {
  await expect.poll(async () => (await jobs.find("double", id)).status().state).not.toBe("running");
  return jobs.find("double", id);
}

const worlds: readonly (readonly [string, () => Promise<World>])[] = [
  ["in memory", memoryWorld],
  ...natsPrograms.map((program) => [`on nats-server ${program.version}`, () => natsWorld(program)] as const),
];

describe.each(worlds)("jobs %s", { tags: ["slow"] }, (_, open) => {
  let world: World;
  const keepers: Keeper[] = [];
  const keeper = async (serviceMs?: number): Promise<Keeper> => {
    const made = await world.keeper(serviceMs);
    keepers.push(made);
    return made;
  };
  beforeAll(async () => {
    world = await open();
  });
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map(({ kill }) => kill()));
  });
  afterAll(() => world.stop());

  it("have a line for each row in order, with its answer or why it has none", async () => {
    const { jobs } = await keeper();
    const values = [...upTo(20), 13, ...upTo(20)];
    const id = await submitted(jobs, values);
    const lines = await linesOf((await jobs.find("double", id)).lines(0, always));
    expect(lines.map(({ row }) => row)).toEqual(values.map((_, row) => row));
    expect(valuesIn(lines)).toEqual(values.map((value) => (value === 13 ? undefined : 2 * value)));
    expect(lines[20]?.error).toContain("13 is unlucky");
    const view = await ended(jobs, id);
    expect(view.status()).toMatchObject({
      state: "done",
      rows: 41,
      done: 41,
      failed: 1,
      served_by: { edge: 40 },
    });
  });

  it("are read from any row, as often as somebody asks", async () => {
    const { jobs } = await keeper();
    const id = await submitted(jobs, upTo(60));
    await ended(jobs, id);
    for (const from of [0, 1, 29, 59, 60, 61]) {
      const view = await jobs.find("double", id);
      const wanted = doubles(upTo(60)).slice(from);
      expect(valuesIn(await linesOf(view.linesNow(from)))).toEqual(wanted);
      expect(valuesIn(await linesOf(view.lines(from, always)))).toEqual(wanted);
    }
  });

  it("keep what they have when they are cancelled, and say so of the rest", async () => {
    const { jobs } = await keeper(40);
    const id = await submitted(jobs, upTo(400));
    await expect.poll(async () => (await jobs.find("double", id)).status().done).toBeGreaterThan(0);
    const view = await jobs.remove("double", id);
    expect(view.status().state).toBe("cancelled");
    const lines = await linesOf((await ended(jobs, id)).lines(0, always));
    expect(lines.filter(({ outputs }) => outputs !== undefined).length).toBeLessThan(400);
    expect(lines.at(-1)?.error).toContain("cancelled");
    await jobs.remove("double", id);
    await expect(async () => jobs.find("double", id)).rejects.toMatchObject({ status: 404 });
  });

  it("are listed for those who sent them, and found by no other key", async () => {
    const { jobs } = await keeper();
    const [mine, tenants] = [
      await submitted(jobs, upTo(2), { key: "ann" }),
      await submitted(jobs, upTo(2), { tenant: "t" }),
    ];
    const idsOf = async (caller: object): Promise<string[]> =>
      (await jobs.listed(caller, "double")).map(({ id }) => id);
    expect(await idsOf({ key: "ann" })).toEqual([mine]);
    expect(await idsOf({ tenant: "t" })).toEqual([tenants]);
    expect(await idsOf({ key: "bob" })).toEqual([]);
    await expect(async () => jobs.find("double", mine, { key: "bob" })).rejects.toMatchObject({
      status: 404,
    });
    await expect(async () => jobs.find("other", mine)).rejects.toMatchObject({ status: 404 });
    await expect(async () => jobs.find("double", "no such job")).rejects.toMatchObject({ status: 404 });
  });

  it("count against their bounds", async () => {
    const { jobs } = await keeper();
    expect(() => jobs.reserve(bounds.mostBytes + 1)).toThrow(/jobs-mib/);
    const release = jobs.reserve(bounds.mostBytes - 10);
    expect(() => jobs.reserve(11)).toThrow(/jobs-mib/);
    release();
    jobs.reserve(11)();
    expect(jobs.load()).toMatchObject({ mostJobs: 100, mostQueuedRows: 64 });
    expect(await jobs.scrape()).toContain("spillway_queue_jobs");
    jobs.retire();
    expect(() => jobs.reserve(1)).toThrow(/shutting down/);
  });
});

describe.each(natsPrograms)("jobs on nats-server $version outlive", { tags: ["slow"] }, (program) => {
  let world: World;
  const keepers: Keeper[] = [];
  const keeper = async (serviceMs?: number): Promise<Keeper> => {
    const made = await world.keeper(serviceMs);
    keepers.push(made);
    return made;
  };
  beforeAll(async () => {
    world = await natsWorld(program);
  });
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map(({ kill }) => kill()));
  });
  afterAll(() => world.stop());

  it("a result that is larger than a message of the server may be: its row says so, the others have theirs", async () => {
    const { jobs } = await keeper(1);
    const id = await submitted(jobs, [1, 99, 2]);
    expect((await ended(jobs, id)).status()).toMatchObject({ state: "done", done: 3 });
    const lines = await linesOf((await jobs.find("double", id)).lines(0, always));
    expect(lines.map(({ row }) => row)).toEqual([0, 1, 2]);
    expect(lines[1]?.error).toMatch(/its result has \d+ bytes/);
    expect(valuesIn([lines[0], lines[2]] as Line[])).toEqual([2, 4]);
  });

  it("the daemon that runs them: another one goes on, and no row has two lines", async () => {
    const [first, second] = [await keeper(20), await keeper(1)];
    const id = await submitted(first.jobs, upTo(300));
    await expect.poll(async () => (await second.jobs.find("double", id)).status().done).toBeGreaterThan(8);
    await first.kill();
    const lines = await linesOf((await second.jobs.find("double", id)).lines(0, always));
    expect(valuesIn(lines)).toEqual(doubles(upTo(300)));
    expect((await ended(second.jobs, id)).status()).toMatchObject({ state: "done", failed: 0 });
  });

  it("a daemon that stops: another one goes on at once", async () => {
    const [first, second] = [await keeper(20), await keeper(1)];
    const id = await submitted(second.jobs, upTo(300));
    await expect.poll(async () => (await second.jobs.find("double", id)).status().done).toBeGreaterThan(8);
    first.jobs.retire();
    await first.jobs.close();
    await first.kill();
    const lines = await linesOf((await second.jobs.find("double", id)).lines(0, always));
    expect(valuesIn(lines)).toEqual(doubles(upTo(300)));
  });

  it("a server that is killed and started again", async () => {
    const { jobs } = await keeper(5);
    const id = await submitted(jobs, upTo(300));
    await expect.poll(async () => (await jobs.find("double", id)).status().done).toBeGreaterThan(8);
    await world.nats?.restart("SIGKILL");
    await expect
      .poll(async () => {
        const view = await Promise.resolve(jobs.find("double", id)).catch(() => undefined);
        return view?.status().state;
      })
      .toBe("done");
    const lines = await linesOf((await jobs.find("double", id)).lines(0, always));
    expect(valuesIn(lines)).toEqual(doubles(upTo(300)));
  });
});

async function memoryWorld(): Promise<World> {
  return {
    keeper: async (serviceMs = 0) => {
      const { daemon } = await smallDaemon({ metadata, serve, serviceMs, maxQueuedRows: 10_000 });
      const jobs = new Jobs({ daemon, ...bounds });
      return { jobs, kill: () => jobs.close() };
    },
    stop: async () => {},
  };
}

async function natsWorld(program: NatsProgram): Promise<World> {
  const nats = await startNats({ program });
  const limits = { window: 64, ackWaitMs: 1_000, pinMs: 1_500 };
  return {
    nats,
    keeper: async (serviceMs = 0) => {
      const engine: Engine = await joinNats(
        { join: [natsAddress(nats.address)] },
        { as: "test", env: {}, log: silent },
      );
      const { daemon }: { readonly daemon: Daemon } = await smallDaemon({
        metadata,
        serve,
        serviceMs,
        maxQueuedRows: 10_000,
      });
      const jobs = new DurableJobs({ daemon, ...bounds, maxFileBytes: 2 ** 20, limits, log: silent });
      await jobs.open(engine);
      const served = jobs.serve("double");
      return {
        jobs,
        kill: async () => {
          await engine.connection.close();
          jobs.retire();
          await served.leave();
        },
      };
    },
    stop: () => nats.stop(),
  };
}
