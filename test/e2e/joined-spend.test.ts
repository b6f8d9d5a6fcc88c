/** One limit on money for daemons at a hub and at a site behind a leaf node. */
import { jetstream } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spendNames } from "../../base/nats/engine-names.ts";
import { type RunningProgram, startProgram } from "../contract/running-program.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { askDouble } from "../support/joined-daemons.ts";
import { type NatsServer, startNats, whyNoNats } from "../support/nats-server.ts";

/** Seven of the longest calls. */
const limit = 0.006;

describe.skipIf(whyNoNats !== undefined)("daemons that share a limit on money", { tags: ["slow"] }, () => {
  const servers: NatsServer[] = [];
  const daemons: RunningProgram[] = [];
  let cloud: DoublingServer;
  const started = (nats: string, ...flags: string[]): Promise<RunningProgram> =>
    startProgram("vqueue", [
      "--no-edge",
      "--functions",
      `cloud=0.5x1024@${cloud.url}`,
      "--calibrate",
      "0",
      "--function-timeout",
      "1",
      "--join",
      nats,
      ...flags,
    ]);
  const shares = ["--max-spend-per-hour", String(limit), "--join-spend", "--join-spend-domain", "hub"];
  beforeAll(async () => {
    const [leafPort = 0] = await freePorts(1);
    cloud = await doublingServer({ serviceMs: () => 1 });
    servers.push(
      await startNats({ domain: "hub", lines: [`leafnodes { listen: "127.0.0.1:${leafPort}" }`] }),
      await startNats({
        domain: "site",
        lines: [`leafnodes { remotes: [{ url: "nats://127.0.0.1:${leafPort}" }], reconnect: 1 }`],
      }),
    );
    const joined = [...servers, servers[1] as NatsServer];
    daemons.push(...(await Promise.all(joined.map(({ address }) => started(address, ...shares)))));
  });
  afterAll(async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    cloud.close();
    await Promise.all(servers.map((server) => server.stop()));
  });

  it("spend no more than it together, whoever spends it, and say whose limit refuses", async () => {
    const spent = (): Promise<{ own: number; shared: number }[]> =>
      Promise.all(
        daemons.map(async ({ url }) => {
          const told = (await (await fetch(`${url}/admin/spend`)).json()) as {
            readonly hour: { readonly spent: number };
            readonly shared: { readonly hour: number };
          };
          return { own: told.hour.spent, shared: told.shared.hour };
        }),
      );
    const values = Array.from({ length: 4 }, (_, index) => index + 1);
    // One after another at each: what a daemon holds for its next call is enough.
    const inTurn = async (url: string): Promise<number> => {
      let answered = 0;
      for (const value of values)
        if ((await askDouble(url, value, 1_500_000)).value === 2 * value) answered++;
      return answered;
    };
    const answered = await Promise.all(daemons.map(({ url }) => inTurn(url)));
    // Which of them are granted it depends on who asks first.
    expect(Math.max(...answered)).toBeGreaterThan(0);
    const seen = await spent();
    const sum = seen.reduce((total, { own }) => total + own, 0);
    for (const { shared } of seen) {
      expect(shared).toBeGreaterThanOrEqual(sum - 1e-9);
      expect(shared).toBeLessThanOrEqual(limit);
    }
    // Another program spends nearly all of it.
    const connection = await connect({ servers: (servers[0] as NatsServer).address });
    const head = headers();
    head.set("Nats-Incr", "+6000000");
    await jetstream(connection, { domain: "hub" }).publish(
      spendNames("hub").subject("CNY", Math.floor(Date.now() / 60_000)),
      "",
      { headers: head },
    );
    await connection.close();
    const error = async (url: string): Promise<string> => {
      const each = await Promise.all(values.map((value) => askDouble(url, value, 300_000)));
      return each.map((answer) => answer.error).find((text) => /share/.test(text)) ?? "";
    };
    const refused = (url: string): Promise<void> =>
      expect
        .poll(() => error(url), { timeout: 20_000 })
        .toMatch(/who joined share is reached: 0\.\d+ of 0\.006 CNY/);
    await Promise.all(daemons.map(({ url }) => refused(url)));
    expect((await spent()).reduce((total, { own }) => total + own, 0)).toBeLessThanOrEqual(limit);
  });

  it("are refused without --join or without a limit", async () => {
    const limitless = started("127.0.0.1:9", "--join-spend");
    const alone = startProgram("vqueue", ["--no-serverless", "--join-spend", "--max-spend-per-hour", "1"]);
    await Promise.all([
      expect(limitless).rejects.toThrow(/--join-spend shares --max-spend-per-hour/),
      expect(alone).rejects.toThrow(/--join-spend is given without --join/),
    ]);
  });
});
