/** Edges that join by themselves, on a real nats-server: they become targets of a daemon, and leave. */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { engineNames } from "../../base/nats/engine-names.ts";
import type { RunningProgram } from "../contract/running-program.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import { type DoublingServer, doublingServer } from "../support/doubling-server.ts";
import { askDouble, startJoined } from "../support/joined-daemons.ts";
import { type JoiningEdge, joiningEdge } from "../support/joining-edge.ts";
import { natsPrograms, type NatsServer, startNats } from "../support/nats-server.ts";

const patient = { timeout: 20_000, interval: 100 };
const nobody = "http://127.0.0.1:9";

describe.each(natsPrograms)("edges that join nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  let server: DoublingServer;
  let daemon: RunningProgram;
  const joined: JoiningEdge[] = [];
  const edge = async (name: string, at = nats.address, ...more: [object?]): Promise<JoiningEdge> => {
    const made = await joiningEdge(at, name, server, ...more);
    joined.push(made);
    return made;
  };
  const targets = async (): Promise<string[]> => {
    const told = (await (await fetch(`${daemon.url}/admin/targets`)).json()) as {
      readonly targets: readonly { readonly name: string; readonly source: string; readonly state: string }[];
    };
    return told.targets.flatMap(({ name, source, state }) =>
      source === "joined" && state === "serving" ? [name] : [],
    );
  };
  const areTargets = (...names: string[]): Promise<void> => expect.poll(targets, patient).toEqual(names);
  const isServed = (value: number): Promise<void> =>
    expect
      .poll(async () => askDouble(daemon.url, value), patient)
      .toMatchObject({ status: 200, value: 2 * value });

  beforeAll(async () => {
    nats = await startNats({ program });
    server = await doublingServer({ serviceMs: () => 2 });
    daemon = await startJoined(nats.address, nobody);
  });
  afterEach(async () => {
    await Promise.all(joined.splice(0).map(({ join }) => join.close()));
    await areTargets();
  });
  afterAll(async () => {
    await daemon.stop();
    server.close();
    await nats.stop();
  });

  it("serve through a daemon that has no address of them, and leave when they stop", async () => {
    const { join } = await edge("plant");
    await areTargets("plant");
    await isServed(21);
    await join.close();
    await areTargets();
  });

  it("are gone when they were cut off for longer than their lease, and come back", async () => {
    const proxy = await startCutProxy(nats.port);
    await edge("far", `127.0.0.1:${proxy.port}`);
    await areTargets("far");
    proxy.isClosed = true;
    proxy.cut();
    await areTargets();
    proxy.isClosed = false;
    await areTargets("far");
    await isServed(4);
    await proxy.stop();
  });

  it("of two with one name the second waits until the first has left", async () => {
    const first = await edge("twin");
    await areTargets("twin");
    const second = await edge("twin");
    await expect.poll(second.log, patient).toMatch(/another edge joined as twin; give this one another/);
    expect(await targets()).toEqual(["twin"]);
    await first.join.close();
    await expect.poll(second.log, patient).toMatch(/is known to those that joined/);
    await isServed(5);
  });

  it("serve again after the server was killed and started anew", async () => {
    await edge("plant");
    await areTargets("plant");
    await nats.restart("SIGKILL");
    await isServed(8);
    await areTargets("plant");
  });

  it("stop without waiting for a server that is gone", { timeout: 8_000 }, async () => {
    const other = await startNats({ program });
    const { join, log } = await joiningEdge(other.address, "late", server, { joinModels: "*" });
    await expect.poll(log, patient).toContain("is known to those that joined");
    await other.stop();
    await expect.poll(log, patient).toContain("the connection to NATS is gone");
    // Each question that is waited for takes 5 s.
    await join.close();
  });

  it("install models from the object store, with their checksum", async () => {
    const installed: string[] = [];
    const install = (model: string, zip: string, sha256: Buffer): Promise<void> => {
      const isRight = createHash("sha256").update(readFileSync(zip)).digest().equals(sha256);
      installed.push(`${model} ${isRight}`);
      return model === "bad" ? Promise.reject(new Error("it is no model")) : Promise.resolve();
    };
    const connection = await connect({ servers: nats.address });
    const store = await new Objm(connection).create(engineNames().modelBucket);
    const { log } = await edge("plant", nats.address, { joinModels: "bad, good", install });
    for (const model of ["bad", "other", "good"]) await store.putBlob({ name: model }, randomBytes(300_000));
    await expect.poll(() => installed.toSorted(), patient).toEqual(["bad true", "good true"]);
    await expect.poll(log, patient).toMatch(/is not installed/);
    await store.putBlob({ name: "good" }, randomBytes(10));
    await expect.poll(() => installed.length, patient).toBe(3);
    await connection.close();
    await areTargets("plant");
  });
});
