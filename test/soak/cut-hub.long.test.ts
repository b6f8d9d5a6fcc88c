/** SPILLWAY_CUT_S: for how long the site has no uplink to its hub, in seconds (default 60). */
import { afterAll, expect, it } from "vitest";
import { CutSite, expectWhole, runCut } from "../support/cut-site.ts";
import { whyNoNats } from "../support/nats-server.ts";

const cutMs = 1_000 * Number(process.env["SPILLWAY_CUT_S"] ?? 60);
const world = new CutSite({ hasFunction: false });
afterAll(() => world.close());

it.skipIf(whyNoNats !== undefined)(
  "a site that is cut off from its hub goes on, and nothing is missing or done twice once it is back",
  { timeout: 600_000 },
  async () => {
    await world.start("--join-hub", "hub");
    const patient = { timeout: 20_000, interval: 100 };
    const far = (value: number, withinMs = 10_000) => world.askFar(value, withinMs);
    await expect.poll(() => world.askSite(1), patient).toMatchObject({ value: 2 });
    await expect.poll(() => far(1), patient).toMatchObject({ value: 2 });
    const report = await runCut(world, cutMs, far);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    expectWhole(report);
    await expect.poll(() => far(4), patient).toMatchObject({ value: 8 });
  },
);
