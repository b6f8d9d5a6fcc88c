/** Two edges of one daemon: one beside it, and one behind a leaf node whose link takes its time. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningProgram } from "../contract/running-program.ts";
import { type CutProxy, startCutProxy } from "../support/cut-proxy.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { askDouble, startJoined } from "../support/joined-daemons.ts";
import { joiningEdge } from "../support/joining-edge.ts";
import { startNats, whyNoNats } from "../support/nats-server.ts";

const patient = { timeout: 20_000, interval: 100 };
const nobody = "http://127.0.0.1:9";
const linkMs = 30;
const serviceMs = (rows: number): number => 10 * rows;

describe.skipIf(whyNoNats !== undefined)("a near edge and a far one", { tags: ["slow"] }, () => {
  const ends: (() => Promise<unknown> | void)[] = [];
  let near: DoublingServer;
  let far: DoublingServer;
  let nearLink: CutProxy;
  let daemon: RunningProgram;

  const rows = ({ batches }: DoublingServer): number => batches.reduce((sum, each) => sum + each, 0);
  /** Rows that each answered while `work` was done. */
  const shares = async (work: () => Promise<unknown>): Promise<{ near: number; far: number }> => {
    const before = { near: rows(near), far: rows(far) };
    await work();
    return { near: rows(near) - before.near, far: rows(far) - before.far };
  };
  const isAnswered = async (value: number): Promise<void> =>
    expect(await askDouble(daemon.url, value)).toMatchObject({ status: 200, value: 2 * value });
  const inTurn = async (count: number): Promise<void> => {
    for (let value = 1; value <= count; value++) await isAnswered(value);
  };
  const atOnce = (count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, index) => isAnswered(index + 1)));
  const targets = async (): Promise<string[]> => {
    const told = (await (await fetch(`${daemon.url}/admin/targets`)).json()) as {
      readonly targets: readonly { readonly name: string; readonly state: string }[];
    };
    return told.targets.flatMap(({ name, state }) => (state === "serving" ? [name] : []));
  };

  beforeAll(async () => {
    const [leafPort = 0] = await freePorts(1);
    const uplink = await startCutProxy(leafPort, linkMs);
    ends.push(() => uplink.stop());
    const leafnodes = `listen: "127.0.0.1:${leafPort}", advertise: "127.0.0.1:${uplink.port}"`;
    const hub = await startNats({ domain: "near", lines: [`leafnodes { ${leafnodes} }`] });
    ends.push(() => hub.stop());
    const leaf = await startNats({
      jetstream: false,
      lines: [`leafnodes { remotes: [{ url: "nats://127.0.0.1:${uplink.port}" }], reconnect: 1 }`],
    });
    ends.push(() => leaf.stop());
    nearLink = await startCutProxy(hub.port);
    ends.push(() => nearLink.stop());
    near = await doublingServer({ serviceMs });
    far = await doublingServer({ serviceMs });
    ends.push(
      () => near.close(),
      () => far.close(),
    );
    daemon = await startJoined(hub.address, nobody, "--slo", "400");
    ends.push(() => daemon.stop());
    // The far one comes first in the list of targets, so its order is not why the near one is preferred.
    const farEdge = await joiningEdge(leaf.address, "far", far, { joinDomain: "near" });
    ends.push(() => farEdge.join.close());
    const nearEdge = await joiningEdge(`127.0.0.1:${nearLink.port}`, "near", near);
    ends.push(() => nearEdge.join.close());
  });
  afterAll(async () => {
    nearLink.isClosed = false;
    for (const end of ends.toReversed()) await end();
  });

  it("share their work as near ones before far ones would: what answers sooner goes first", async () => {
    await expect.poll(targets, patient).toEqual(expect.arrayContaining(["far", "near"]));
    // Both are measured by then.
    await inTurn(10);
    const idle = await shares(() => inTurn(40));
    // Without a preference it would be half of them; a machine that stands still may move a few.
    expect(idle.near).toBeGreaterThanOrEqual(30);
    expect(idle.near + idle.far).toBe(40);

    const full = await shares(() => atOnce(60));
    expect(full.near + full.far).toBe(60);
    expect(full.near).toBeGreaterThan(0);
    expect(full.far).toBeGreaterThan(0);

    nearLink.isClosed = true;
    nearLink.cut();
    expect(await shares(() => inTurn(10))).toEqual({ near: 0, far: 10 });

    nearLink.isClosed = false;
    const nearAgain = async (): Promise<number> => (await shares(() => inTurn(4))).near;
    await expect.poll(nearAgain, patient).toBeGreaterThan(0);
  });
});
