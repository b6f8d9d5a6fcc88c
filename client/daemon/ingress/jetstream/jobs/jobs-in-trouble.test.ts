/** Jobs on real servers that are full, silent or without their edges, and jobs that end those who run them. */
import { Objm } from "@nats-io/obj";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../../../../base/nats/engine.ts";
import { engineNames } from "../../../../../base/nats/engine-names.ts";
import { tensorFromNumbers } from "../../../../../protocol/tensor.ts";
import { natsPrograms } from "../../../../../test/support/nats-server.ts";
import {
  endedJob,
  type JobKeeper,
  type JobKeeperOptions,
  type JobWorld,
  linesOf,
  natsJobs,
  submittedJob,
} from "../../../../../test/support/job-worlds.ts";
import { JobLog } from "./job-log.ts";
import { JobRun } from "./job-run.ts";
import { JobStore } from "./job-store.ts";

const { jobLogs, jobQueue } = engineNames();

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => 100 + index);
const always = new AbortController().signal;
const bytesOf = (count: number) => new Uint8Array(count).fill(120);
const parts = { daemon: {}, codec: {}, room: {}, timeoutMs: 1_000 } as never;

/** Each answer has about 35 KB. */
const servedAtLength: NonNullable<JobKeeperOptions["servedBy"]> = ({ inputs }) => {
  const rows = inputs[0]?.shape[0] ?? 1;
  const values = Array.from({ length: rows * 3_000 }, () => 0.123456789);
  return [tensorFromNumbers("y", "FP32", [rows, 3_000], values)];
};

/** The first `count` answers of the server to what is published below `prefix` are lost. */
function losing(engine: Engine, prefix: string, count: number): Engine {
  let left = count;
  const publish: Engine["js"]["publish"] = async (subject, ...more) => {
    const ack = await engine.js.publish(subject, ...more);
    if (!subject.startsWith(prefix) || left === 0) return ack;
    left--;
    throw new Error("timeout");
  };
  const js = new Proxy(engine.js, {
    get: (from, name) => (name === "publish" ? publish : (from[name as keyof typeof from] as unknown)),
  });
  return new Proxy(engine, {
    get: (from, name) => (name === "js" ? js : (from[name as keyof Engine] as unknown)),
  });
}

describe.each(natsPrograms)("jobs on nats-server $version", { tags: ["slow"] }, (program) => {
  let world: JobWorld;
  const keepers: JobKeeper[] = [];
  const worlds: JobWorld[] = [];
  const keeper = async (options?: Parameters<JobWorld["keeper"]>[0]): Promise<JobKeeper> => {
    const made = await world.keeper(options);
    keepers.push(made);
    return made;
  };
  beforeEach(async () => {
    world = await natsJobs(program);
    worlds.push(world);
  });
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map(({ kill }) => kill()));
    await Promise.all(worlds.splice(0).map((each) => each.stop()));
  });

  /** Takes all room that logs have, but for less than a record needs: 2.9 loses messages where single bytes are left. */
  async function fillLogs({ engine }: JobKeeper): Promise<void> {
    const taken = (size: number) =>
      engine?.js.publish(jobLogs.subject("filler"), bytesOf(size)).catch(() => undefined);
    for (const size of [100_000, 10_000, 1_000, 100]) while ((await taken(size)) !== undefined);
  }

  it("end, and say why, when there is no room for another line, and pay for no row again", async () => {
    const { jobs, calls } = await keeper({ mostBytes: 2 ** 20, servedBy: servedAtLength });
    const id = await submittedJob(jobs, upTo(40));
    const view = await endedJob(jobs, id);
    expect(view.status()).toMatchObject({ state: "stopped", done: 40 });
    expect(view.status().error).toMatch(/--jobs-mib/);
    const lines = await linesOf(view.lines(0, always));
    expect(lines.filter(({ outputs }) => outputs !== undefined).length).toBeGreaterThan(1);
    expect(lines.at(-1)?.error).toMatch(/--jobs-mib/);
    expect(await linesOf(view.linesNow(0))).toEqual(lines);
    const paid = calls.length;
    await expect(submittedJob(jobs, [1])).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/--jobs-mib.* DELETE one/),
    });
    const other = await keeper({ servedBy: servedAtLength });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(calls.length + other.calls.length).toBe(paid);
    await jobs.remove("double", id);
    await expect(async () => jobs.find("double", id)).rejects.toMatchObject({ status: 404 });
    await endedJob(jobs, await submittedJob(jobs, [1]));
  });

  it("are cancelled though the logs have no room for the cancel", async () => {
    const keeping = await keeper("serves nothing");
    const { jobs, engine } = keeping;
    const id = await submittedJob(jobs, upTo(3));
    const { config } = (await engine?.manager.streams.info(jobLogs.stream)) ?? {};
    await engine?.manager.streams.update(jobLogs.stream, { ...config, max_bytes: 2 ** 20 });
    await fillLogs(keeping);
    expect((await jobs.remove("double", id)).status()).toMatchObject({ state: "cancelled", failed: 3 });
    const lines = await linesOf((await jobs.find("double", id)).lines(0, always));
    expect(lines).toMatchObject([{ row: 0, rows: 3, code: "cancelled" }]);
    expect((await jobs.find("double", id)).status().state).toBe("cancelled");
  });

  it("end at once when they are cancelled while nobody runs them", async () => {
    const { jobs } = await keeper("serves nothing");
    const id = await submittedJob(jobs, upTo(3));
    expect((await jobs.remove("double", id)).status()).toMatchObject({ state: "cancelled", failed: 3 });
    const next = await keeper();
    await endedJob(next.jobs, await submittedJob(jobs, [1]));
    expect((await jobs.find("double", id)).status().state).toBe("cancelled");
    expect(next.calls).toEqual([1]);
  });

  it("are taken once though the server's answer was lost", async () => {
    const through = (engine: Engine) => losing(losing(engine, "spill.job.", 2), "spill.jobq.", 1);
    const { jobs, calls } = await keeper({ through });
    const id = await submittedJob(jobs, upTo(3));
    expect((await endedJob(jobs, id)).status()).toMatchObject({ state: "done", failed: 0 });
    expect(await jobs.listed({})).toHaveLength(1);
    expect(calls.reduce((sum, rows) => sum + rows, 0)).toBe(3);
  });

  it("are taken back when the server says too late that it has one", async () => {
    const through = (engine: Engine) => losing(engine, "spill.job.", 1_000);
    const { jobs } = await keeper({ through, handOverMs: 0 });
    const refused = await submittedJob(jobs, upTo(3)).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ code: "target_unavailable" });
    const [, id = ""] = /look for ([\w-]{16}) then/.exec((refused as Error).message) ?? [];
    expect(id).not.toBe("");
    await expect.poll(() => jobs.listed({}), { timeout: 10_000 }).toEqual([]);
    await expect(async () => jobs.find("double", id)).rejects.toMatchObject({ status: 404 });
  });

  it("leave no input behind that has no job", async () => {
    const { engine, jobs } = await keeper("serves nothing");
    const { manager, js } = engine as Engine;
    const kept = await submittedJob(jobs, upTo(3));
    const bucket = `OBJ_${jobLogs.inputs}`;
    const config = (await manager.streams.info(bucket)).config;
    expect(config.max_age).toBeGreaterThan(0);
    await manager.streams.update(bucket, { ...config, max_age: 0 });
    const store = await JobStore.open(engine as Engine, { mostBytes: 2 ** 24, mostJobs: 10 });
    expect((await manager.streams.info(bucket)).config.max_age).toBe(config.max_age);
    const inputs = await new Objm(js).open(jobLogs.inputs);
    await inputs.putBlob({ name: "nobody's" }, bytesOf(1_000));
    await js.publish(`$O.${jobLogs.inputs}.C.broken`, bytesOf(1_000));
    const nowMs = Date.now();
    expect(await store.sweepInputs(nowMs)).toBe(0);
    expect(await store.sweepInputs(nowMs + 301_000)).toBe(2);
    expect((await inputs.list()).map(({ name }) => name)).toEqual([kept]);
    expect((await manager.streams.info(bucket)).state.messages).toBe(2);
  });

  it("that end whoever runs them are given up, and say so", async () => {
    const { jobs, engine } = await keeper("serves nothing");
    const id = await submittedJob(jobs, upTo(3));
    const log = new JobLog(engine as Engine);
    for (let run = 0; run < 10; run++) {
      const dying = new Promise<never>(() => {});
      void new JobRun({ id, log, runner: `dies ${run}`, parts, read: () => dying }).run();
      await expect.poll(async () => (await log.last(id))?.facts.runner).toBe(`dies ${run}`);
    }
    const next = await keeper();
    const view = await endedJob(next.jobs, id);
    expect(view.status()).toMatchObject({ state: "stopped", done: 3, failed: 3 });
    expect(view.status().error).toMatch(/given up: 10 daemons took it/);
    expect(await linesOf(view.lines(0, always))).toMatchObject([{ row: 0, rows: 3, code: "target_fault" }]);
    expect(next.calls).toEqual([]);
    await expect
      .poll(async () => (await engine?.manager.streams.info(jobQueue.stream))?.state.messages)
      .toBe(0);
  });

  it("that were given back in peace are not given up", async () => {
    const { jobs, engine } = await keeper("serves nothing");
    const id = await submittedJob(jobs, upTo(3));
    const log = new JobLog(engine as Engine);
    for (let run = 0; run < 12; run++) {
      const read = () => Promise.reject(new Error("the edge is away"));
      expect(await new JobRun({ id, log, runner: `away ${run}`, parts, read }).run()).toBe(false);
    }
    const next = await keeper();
    expect((await endedJob(next.jobs, id)).status()).toMatchObject({ state: "done", failed: 0 });
  });

  it("wait while nobody can say what the model takes", async () => {
    const { jobs } = await keeper("serves nothing");
    const id = await submittedJob(jobs, upTo(3));
    let asked = 0;
    const next = await keeper({
      with: (daemon) => {
        const { models } = daemon;
        const describe = models.describeLately.bind(models);
        models.describeLately = (model) =>
          ++asked < 2 ? Promise.reject(new Error("away")) : describe(model);
      },
    });
    expect((await endedJob(next.jobs, id)).status()).toMatchObject({ state: "done", failed: 0 });
    expect(asked).toBeGreaterThan(1);
  });
});
