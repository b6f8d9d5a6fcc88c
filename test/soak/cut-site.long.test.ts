/** SPILLWAY_CUT_S: for how long the site has no uplink, in seconds (default 60). */
import { afterAll, expect, it } from "vitest";
import { CutSite, expectWhole, runCut } from "../support/cut-site.ts";
import { whyNoNats } from "../support/nats-server.ts";

const cutMs = 1_000 * Number(process.env["SPILLWAY_CUT_S"] ?? 60);
const world = new CutSite();
afterAll(() => world.close());

it.skipIf(whyNoNats !== undefined)(
  "a site that is cut off goes on, and nothing is missing once it is back",
  { timeout: 600_000 },
  async () => {
    await world.start();
    const patient = { timeout: 20_000, interval: 100 };
    await expect.poll(() => world.askSite(1), patient).toMatchObject({ value: 2 });
    await expect.poll(() => world.askCloud(1, 10_000), patient).toMatchObject({ value: 2 });
    const report = await runCut(world, cutMs);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    expectWhole(report);
    await expect.poll(() => world.askHub(4), patient).toMatchObject({ value: 8 });
    await expect.poll(() => world.askCloud(4, 10_000), patient).toMatchObject({ value: 8 });
  },
);
