import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CutSite, expectWhole, runCut } from "../support/cut-site.ts";
import { whyNoNats } from "../support/nats-server.ts";

const patient = { timeout: 20_000, interval: 100 };

describe.skipIf(whyNoNats !== undefined)("a site behind a leaf node", { tags: ["slow"] }, () => {
  const world = new CutSite();
  beforeAll(() => world.start());
  afterAll(() => world.close());

  const inTurn = async (
    ask: (value: number) => Promise<{ value: number }>,
    first: number,
  ): Promise<number[]> => {
    const values: number[] = [];
    for (let value = first; value < first + 20; value++) values.push((await ask(value)).value / 2);
    return values;
  };
  const from = (first: number, count = 20): number[] =>
    Array.from({ length: count }, (_, index) => first + index);
  const site = (value: number) => world.askSite(value);
  const hub = (value: number) => world.askHub(value);

  it("keeps its requests apart from those of its hub, though both are one account", async () => {
    await expect.poll(() => site(1), patient).toMatchObject({ value: 2 });
    await expect.poll(() => hub(1), patient).toMatchObject({ value: 2 });
    const before = world.rows;
    expect(await inTurn(site, 10)).toEqual(from(10));
    expect(world.rows.hub).toBe(before.hub);
    expect(await inTurn(hub, 10)).toEqual(from(10));
    expect(world.rows.site + world.rows.cloud).toBe(before.site + before.cloud + 20);
  });

  it("goes on while its uplink is cut; what needs the cloud waits, or is refused by its deadline", async () => {
    await expect.poll(() => world.askCloud(1, 10_000), patient).toMatchObject({ value: 2 });
    expectWhole(await runCut(world, 1_500));
    expect(await inTurn(site, 70)).toEqual(from(70));
    expect(await inTurn(hub, 70)).toEqual(from(70));
  });
});
