/** One contract for jobs in the memory of a daemon and for those on real servers; and what the latter have beside it. */
import { Objm } from "@nats-io/obj";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { natsPrograms } from "../../../../../test/support/nats-server.ts";
import {
  endedJob as ended,
  jobBounds as bounds,
  type JobKeeper as Keeper,
  type JobLine as Line,
  type JobWorld as World,
  linesOf,
  memoryJobs as memoryWorld,
  natsJobs as natsWorld,
  submittedJob as submitted,
} from "../../../../../test/support/job-worlds.ts";

const always = new AbortController().signal;
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => 100 + index);
const doubles = (values: readonly number[]): number[] => values.map((value) => 2 * value);
const valuesIn = (lines: readonly Line[]): unknown[] => lines.map(({ outputs }) => outputs?.[0]?.data[0]);

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
    const { jobs } = await keeper(200);
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

  it("the largest message of the server: longer results are kept elsewhere, and go with their job", async () => {
    const [{ jobs, engine }, other] = [await keeper(1), await keeper(1)];
    const stored = async (): Promise<number> => {
      const { js, names } = engine as Engine;
      return (await (await new Objm(js).open(names.jobLogs.inputs)).list()).length;
    };
    const id = await submitted(jobs, [1, 99, 2, 99]);
    expect((await ended(jobs, id)).status()).toMatchObject({ state: "done", done: 4, failed: 0 });
    for (const view of [await jobs.find("double", id), await other.jobs.find("double", id)]) {
      const lines = await linesOf(view.lines(0, always));
      expect(lines.map(({ row }) => row)).toEqual([0, 1, 2, 3]);
      expect(lines.map(({ outputs }) => outputs?.[0]?.data.length)).toEqual([1, 300_000, 1, 300_000]);
      expect((await linesOf(view.linesNow(2))).map(({ row }) => row)).toEqual([2, 3]);
    }
    expect(await stored()).toBe(2);
    await jobs.remove("double", id);
    await expect.poll(stored).toBe(0);
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
