/** A site whose daemon has its hub as one more target, behind an uplink that fails. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CutSite } from "../support/cut-site.ts";
import { startJoined } from "../support/joined-daemons.ts";
import { natsPrograms } from "../support/nats-server.ts";

const patient = { timeout: 20_000, interval: 100 };
const nobody = "http://127.0.0.1:9";
const from = (first: number, count: number): number[] => Array.from({ length: count }, (_, at) => first + at);

describe.each(natsPrograms)("a site with a hub, on nats-server $version", { tags: ["slow"] }, (program) => {
  const world = new CutSite({ hasFunction: false, program });
  beforeAll(() => world.start("--join-hub", "hub", "--slo", "0.4"));
  afterAll(() => world.close());

  const far = (value: number, withinMs = 20_000) => world.askFar(value, withinMs);

  it("sends there what only the hub serves, and knows what that takes", async () => {
    await expect.poll(() => far(1), patient).toMatchObject({ value: 2 });
    const before = world.rows;
    for (const value of from(10, 20)) expect(await far(value)).toMatchObject({ value: 2 * value });
    expect(world.rows.hub).toBe(before.hub + 20);
    const told = await (await fetch(`${world.atSite?.url}/v2/models/far`)).json();
    expect(told).toMatchObject({ name: "far", inputs: [{ name: "x", datatype: "FP32" }] });
    expect((await fetch(`${world.atSite?.url}/v2/models/nothing`)).status).toBe(404);
  });

  it("sends what is larger than a message", async () => {
    await expect.poll(() => far(1), patient).toMatchObject({ value: 2 });
    const values = from(0, 400_000);
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, values.length], data: values }];
    const body = JSON.stringify({ parameters: { timeout: 20_000_000 }, inputs });
    const response = await fetch(`${world.atSite?.url}/v2/models/far/infer`, { method: "POST", body });
    const told = (await response.json()) as { readonly outputs?: readonly { readonly data: number[] }[] };
    expect(response.status).toBe(200);
    expect(told.outputs?.[0]?.data.at(-1)).toBe(2 * 399_999);
  });

  it("serves its own by itself, and what its edge cannot do in time at the hub", async () => {
    await expect.poll(() => world.askSite(1), patient).toMatchObject({ value: 2 });
    for (const value of from(1, 20)) await world.askSite(value);
    const idle = world.rows;
    for (const value of from(1, 20)) expect(await world.askSite(value)).toMatchObject({ value: 2 * value });
    expect(world.rows.site - idle.site).toBeGreaterThanOrEqual(15);
    world.serviceMs.site = 150;
    for (const value of from(1, 5)) await world.askSite(value);
    const busy = world.rows;
    const answers = [];
    for (const value of from(1, 60)) {
      answers.push(world.askSite(value));
      await delay(10);
    }
    expect((await Promise.all(answers)).map(({ value }) => value / 2)).toEqual(from(1, 60));
    expect(world.rows.hub).toBeGreaterThan(busy.hub);
    world.serviceMs.site = 2;
  });

  it("keeps what has time while the uplink is cut, refuses the rest by its deadline, and serves its own", async () => {
    await expect.poll(() => far(1), patient).toMatchObject({ value: 2 });
    const before = world.rows;
    world.cut();
    const waiting = from(100, 10).map((value) => far(value));
    const refused = await Promise.all(from(200, 5).map((value) => far(value, 700)));
    for (const { status } of refused) expect([502, 503, 504]).toContain(status);
    for (const value of from(1, 20)) expect(await world.askSite(value)).toMatchObject({ value: 2 * value });
    await delay(500);
    world.mend();
    const answers = await Promise.all(waiting);
    expect(answers.map(({ value }) => value / 2)).toEqual(from(100, 10));
    expect(world.rows.hub).toBe(before.hub + 10);
  });

  it("looks up an answer that came while the uplink was cut, and has nothing done twice", async () => {
    await expect.poll(() => far(1), patient).toMatchObject({ value: 2 });
    world.serviceMs.hub = 500;
    const before = world.rows;
    const asked = far(300);
    await delay(250);
    world.cut();
    await expect.poll(() => world.rows.hub, patient).toBe(before.hub + 1);
    // Its result is stored then, and told to nobody.
    await delay(300);
    world.mend();
    expect(await asked).toMatchObject({ value: 600 });
    expect(world.rows.hub).toBe(before.hub + 1);
    world.serviceMs.hub = 2;
  });

  it("is no hub of its hub", async () => {
    const round = await startJoined(world.hub.address, nobody, "--join-hub", "site");
    try {
      const why = async (): Promise<string> => {
        const told = await (await fetch(`${round.url}/v2/health/ready`)).json();
        return JSON.stringify([told, await (await fetch(`${round.url}/admin/targets`)).json()]);
      };
      await expect.poll(why, patient).toContain("hubs must form a tree");
    } finally {
      await round.stop();
    }
  });
});
