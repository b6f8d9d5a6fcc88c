/** A daemon that has no target of its own: it waits for edges that join. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningProgram, startProgram } from "../contract/running-program.ts";
import { executable } from "../support/built.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";
import { freePorts } from "../support/free-ports.ts";
import { askDouble } from "../support/joined-daemons.ts";
import { joiningEdge } from "../support/joining-edge.ts";
import { natsPrograms, type NatsServer, startNats } from "../support/nats-server.ts";

const patient = { timeout: 20_000, interval: 100 };
const flags = ["--no-edge", "--no-serverless"];

it("without edges, functions and --join a daemon does not start", { tags: ["slow"] }, async () => {
  await expect(startProgram("vqueue", flags)).rejects.toThrow(/leave no target.*or --join, where edges join/);
});

describe.each(natsPrograms)(
  "with edges alone that join nats-server $version",
  { tags: ["slow"] },
  (program) => {
    let nats: NatsServer;
    let server: DoublingServer;
    let daemon: RunningProgram;
    beforeAll(async () => {
      nats = await startNats({ program });
      server = await doublingServer({ serviceMs: () => 2 });
      daemon = await startProgram("vqueue", [...flags, "--join", nats.address]);
    });
    afterAll(async () => {
      await daemon.stop();
      server.close();
      await nats.stop();
    });
    const ready = async (): Promise<string> => {
      const response = await fetch(`${daemon.url}/v2/health/ready`);
      return `${response.status} ${await response.text()}`;
    };

    const serving = async (): Promise<string[]> => {
      const told = (await (await fetch(`${daemon.url}/admin/targets`)).json()) as {
        readonly targets: readonly { readonly name: string; readonly state: string }[];
      };
      const names = told.targets.filter(({ state }) => state === "serving").map(({ name }) => name);
      // The one before it may have been the last target, which keeps its name.
      return names.map((name) => name.replace(/-\w{4}$/, ""));
    };

    it("is not ready and says why, serves once an edge joins, and again when it came back", async () => {
      await expect.poll(ready, patient).toMatch(/^503 .*no edge has joined yet \(--join 127\.0\.0\.1:\d+/);
      expect((await askDouble(daemon.url, 3, 500_000)).status).toBeGreaterThanOrEqual(404);
      for (const value of [3, 5]) {
        const { join } = await joiningEdge(nats.address, "plant", server);
        await expect.poll(ready, patient).toMatch(/^200/);
        await expect
          .poll(() => askDouble(daemon.url, value), patient)
          .toMatchObject({ status: 200, value: 2 * value });
        await expect.poll(serving, patient).toEqual(["plant"]);
        await join.close();
        await expect.poll(ready, patient).toMatch(/^503 .*no edge has joined/);
      }
    });
  },
);

it(
  "before the NATS server is there it says that it waits for it, and ends when it is told to",
  { tags: ["slow"] },
  async () => {
    const [port = 0, nats = 0] = await freePorts(2);
    const args = ["vqueue", "--port", String(port), ...flags, "--join", `127.0.0.1:${nats}`];
    const child = spawn(process.execPath, [executable, ...args], { stdio: "ignore" });
    const ended = once(child, "close");
    const ready = async (): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${port}/v2/health/ready`);
      return `${response.status} ${await response.text()}`;
    };
    await expect
      .poll(() => ready().catch(() => ""), patient)
      .toMatch(/^503 .*the NATS server 127\.0\.0\.1:\d+ is waited for/);
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  },
);
