import { afterAll, afterEach, describe, expect, it } from "vitest";
import { JoinedWorld, runKills } from "../support/joined-kills.ts";
import { startNats, type NatsServer, whyNoNats } from "../support/nats-server.ts";
import { OutageRig } from "../support/outage-rig.ts";

const rig = new OutageRig();
let nats: NatsServer | undefined;
afterEach(async () => {
  await rig.close();
  await nats?.stop();
});
afterAll(() => rig.removeFiles());

describe.skipIf(whyNoNats !== undefined)("three daemons that joined", { tags: ["slow"] }, () => {
  it("answer each request rightly in the end, and each row of a job once, while three are killed", async () => {
    nats = await startNats();
    const world = new JoinedWorld(rig, nats);
    await world.start();
    const plan = { seed: 11, requests: 300, callers: 16, kills: 3, jobs: 2, jobRows: 40 };
    const report = await runKills(world, plan);
    expect(report).toMatchObject({ right: 300, wrong: [], lost: [], jobRows: 80 });
    expect(report.killed.length).toBe(3);
  });
});
