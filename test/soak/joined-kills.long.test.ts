/**
 * SPILLWAY_REQUESTS: how many requests (default 20,000), SPILLWAY_SEED: the first seed (default 1), SPILLWAY_SEEDS: how many
 * of them (1). With SPILLWAY_JOIN_OWNERS=2, which daemons read themselves, models have two owners.
 */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { JoinedWorld, runKills } from "../support/joined-kills.ts";
import { natsPrograms, startNats, type NatsServer } from "../support/nats-server.ts";
import { OutageRig } from "../support/outage-rig.ts";

const requests = Number(process.env["SPILLWAY_REQUESTS"] ?? 20_000);
const firstSeed = Number(process.env["SPILLWAY_SEED"] ?? 1);
const seeds = Array.from(
  { length: Number(process.env["SPILLWAY_SEEDS"] ?? 1) },
  (_, index) => firstSeed + index,
);

const jobs = { jobs: 10, jobRows: 200 };

const rig = new OutageRig();
let nats: NatsServer | undefined;
afterEach(async () => {
  await rig.close();
  await nats?.stop();
});
afterAll(() => rig.removeFiles());

describe.each(natsPrograms)("with nats-server $version", (program) => {
  it.each(seeds)(
    "each request is answered rightly in the end, whoever is killed (seed %d)",
    { timeout: 3_600_000 },
    async (seed) => {
      nats = await startNats({ program });
      const world = new JoinedWorld(rig, nats);
      await world.start();
      const report = await runKills(world, {
        seed,
        requests,
        callers: 64,
        kills: world.names.length,
        ...jobs,
      });
      process.stdout.write(`${JSON.stringify(report)}\n`);
      expect(report.wrong).toEqual([]);
      expect(report.lost).toEqual([]);
      expect(report.right).toBe(requests);
      expect(report.jobRows).toBe(jobs.jobs * jobs.jobRows);
      expect(report.killed.length).toBe(world.names.length);
    },
  );
});
