/** Daemons that joined one real server, each with its front, its queues and its jobs, in this process. */
import { pino } from "pino";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { natsAddress } from "../../../../base/nats/nats-address.ts";
import { codecHere } from "../../../../protocol/server/message-codec.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../../../protocol/tensor.ts";
import { endedJob, submittedJob } from "../../../../test/support/job-worlds.ts";
import { natsPrograms, type NatsServer, startNats } from "../../../../test/support/nats-server.ts";
import { doubler, smallDaemon, type SmallDaemon } from "../../../../test/support/small-daemon.ts";
import type { DaemonOptions } from "../../options.ts";
import { createV2Ingress } from "../v2.ts";
import type { DurableJobs } from "./jobs/durable-jobs.ts";
import { durableJobs, Joined } from "./open-joined.ts";

const log = pino({ level: "silent" });

interface JoinedDaemon extends SmallDaemon {
  readonly joined: Joined;
  readonly jobs: DurableJobs;
}

describe.each(natsPrograms)("daemons that joined nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  const daemons: JoinedDaemon[] = [];
  beforeEach(async () => {
    nats = await startNats({ program });
  });
  afterEach(async () => {
    for (const { joined } of daemons.splice(0)) await joined.close();
    await nats.stop();
  });

  async function joinedDaemon(given: Partial<DaemonOptions> = {}): Promise<JoinedDaemon> {
    const options = {
      join: [natsAddress(nats.address)],
      joinMib: 64,
      joinOwners: [],
      lanes: [],
      jobs: 100,
      jobsMib: 64,
      jobKeep: 60,
      jobTimeout: 60,
      jobRows: 64,
      maxRows: 1_000,
      maxMib: 64,
      maxBodyMib: 16,
      maxAnswerMib: 16,
      callTimeout: 10,
      ...given,
    } as unknown as DaemonOptions;
    const small = await smallDaemon({ ...doubler, sloMs: 20_000 });
    const parts = { options, daemon: small.daemon, codec: codecHere, log };
    const jobs = durableJobs(parts);
    const joined = new Joined({ ...parts, jobs, env: {} });
    await joined.connect(new AbortController().signal);
    joined.start(new Hono());
    const made = { ...small, joined, jobs };
    daemons.push(made);
    return made;
  }

  it("give a request that another one served its id, tell its story, and count it where it was served", async () => {
    const owner = await joinedDaemon();
    await endedJob(owner.jobs, await submittedJob(owner.jobs, [1]));
    const front = await joinedDaemon();
    const fault = (error: Error): never => {
      throw error;
    };
    const app = createV2Ingress(front.daemon, { maxBodyBytes: 2 ** 20, onFault: fault });
    let served: { readonly id: string; readonly status: number } | undefined;
    // Where owners are not pinned, this daemon may be given some of the requests itself.
    while (served === undefined || served.id.startsWith(front.daemon.recent.run)) {
      const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [21] }];
      const reply = await app.request("/v2/models/double/infer", {
        method: "POST",
        body: JSON.stringify({ inputs }),
      });
      served = { id: reply.headers.get("spillway-request-id") ?? "", status: reply.status };
    }
    expect(served.status).toBe(200);
    expect(served.id.startsWith(`${owner.daemon.recent.run}-`)).toBe(true);
    const story = await app.request(`/admin/requests/${served.id}`);
    expect(await story.json()).toMatchObject({ id: served.id, model: "double", outcome: "served" });
    for (const unknown of ["c0ffee-1", `${owner.daemon.recent.run}-999`, "none"])
      expect((await app.request(`/admin/requests/${unknown}`)).status).toBe(404);
    expect(await owner.daemon.scrape()).toMatch(/joined_requests_total\{event="answered"\} [1-9]/);
    const metrics = await (await app.request("/metrics")).text();
    expect(metrics).toContain("spillway_queue_joined_waiting 0");
    expect(metrics).toContain("spillway_queue_joined_connected 1");
  });

  it("answer each request once when a model has several owners, whose shares their metrics tell", async () => {
    const [first, second] = [await joinedDaemon({ joinOwners: ["2"] }), await joinedDaemon()];
    const ask = async (value: number): Promise<number> => {
      const request = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [value])] };
      const { answer } = await second.daemon.submit(
        { model: "double", request, bytes: 4 },
        new AbortController().signal,
      );
      return Number(tensorToNumbers(answer.outputs[0] as never)[0]);
    };
    const values = Array.from({ length: 20 }, (_, index) => index);
    const told = async ({ daemon }: JoinedDaemon): Promise<boolean> =>
      /joined_owners\{model="double"\} 2\n/.test(await daemon.scrape());
    await expect
      .poll(
        async () => {
          expect(await Promise.all(values.map(ask))).toEqual(values.map((value) => 2 * value));
          // Where the server has no pins, all share all models.
          const areTwo =
            Number(program.version.split(".")[1]) < 11 || ((await told(first)) && (await told(second)));
          return areTwo && first.calls.length > 0 && second.calls.length > 0;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    await endedJob(first.jobs, await submittedJob(first.jobs, [1, 2, 3]));
  });

  it("leave their jobs to others at once when they stop, though somebody waits for an answer still", async () => {
    const first = await joinedDaemon();
    await endedJob(first.jobs, await submittedJob(first.jobs, [1]));
    const second = await joinedDaemon();
    const left = new AbortController();
    const request = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [1])] };
    // Nobody serves the model.
    const waiting = first.daemon.submit({ model: "other", request, bytes: 4 }, left.signal);
    first.jobs.retire();
    let isRetired = false;
    const retired = first.joined.retire().then(() => (isRetired = true));
    await endedJob(second.jobs, await submittedJob(second.jobs, [1, 2, 3]));
    expect(isRetired).toBe(false);
    left.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await retired;
  });
});
