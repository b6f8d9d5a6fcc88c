import { afterAll, describe, expect, it } from "vitest";
import type { RunningProgram } from "../contract/running-program.ts";
import { doublingServer } from "../support/doubling-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { askDouble, startJoined } from "../support/joined-daemons.ts";
import { type NatsServer, startNats, whyNoNats } from "../support/nats-server.ts";

/** The site's requests stay at the site, and the hub's at the hub. */
const apart = 'deny_imports: ["spill.>"], deny_exports: ["spill.>"]';

describe.skipIf(whyNoNats !== undefined)("a site behind a leaf node", { tags: ["slow"] }, () => {
  const ends: (() => Promise<unknown> | void)[] = [];
  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  it("goes on while its hub is away, and keeps its requests apart from those of the hub", async () => {
    const [leafPort = 0] = await freePorts(1);
    const hub: NatsServer = await startNats({
      domain: "hub",
      lines: [`leafnodes { listen: "127.0.0.1:${leafPort}" }`],
    });
    ends.push(() => hub.stop());
    const site = await startNats({
      domain: "site",
      lines: [`leafnodes { remotes: [{ url: "nats://127.0.0.1:${leafPort}", ${apart} }], reconnect: 1 }`],
    });
    ends.push(() => site.stop());
    const [siteEdge, hubEdge] = await Promise.all([1, 2].map(() => doublingServer({ serviceMs: () => 1 })));
    ends.push(() => [siteEdge, hubEdge].forEach((edge) => edge?.close()));
    const start = async (server: NatsServer, edge: string): Promise<RunningProgram> => {
      const daemon = await startJoined(server.address, edge);
      ends.push(() => daemon.stop());
      return daemon;
    };
    const [atSite, atHub] = await Promise.all([
      start(site, siteEdge?.url ?? ""),
      start(hub, hubEdge?.url ?? ""),
    ]);
    const inTurn = async (url: string, first: number): Promise<number[]> => {
      const values: number[] = [];
      for (let value = first; value < first + 20; value++)
        values.push((await askDouble(url, value)).value / 2);
      return values;
    };
    const from = (first: number): number[] => Array.from({ length: 20 }, (_, index) => first + index);
    const rowsOf = (edge: typeof siteEdge): number => edge?.batches.reduce((sum, rows) => sum + rows, 0) ?? 0;
    await expect.poll(() => askDouble(atSite.url, 1)).toMatchObject({ value: 2 });
    await expect.poll(() => askDouble(atHub.url, 1)).toMatchObject({ value: 2 });
    expect(await inTurn(atSite.url, 10)).toEqual(from(10));
    expect(rowsOf(hubEdge)).toBe(1);
    await hub.end("SIGKILL");
    expect(await inTurn(atSite.url, 40)).toEqual(from(40));
    await hub.start();
    await expect.poll(() => askDouble(atHub.url, 3)).toMatchObject({ value: 6 });
    expect(await inTurn(atSite.url, 70)).toEqual(from(70));
    expect(rowsOf(siteEdge)).toBe(61);
  });
});
