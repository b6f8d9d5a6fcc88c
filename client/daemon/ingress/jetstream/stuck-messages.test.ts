import { AckPolicy } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, joinNats } from "../../../../base/nats/engine.ts";
import { engineNames } from "../../../../base/nats/engine-names.ts";
import { natsAddress } from "../../../../base/nats/nats-address.ts";
import { natsPrograms, type NatsServer, startNats } from "../../../../test/support/nats-server.ts";
import { JetStreamBus } from "./jetstream-bus.ts";

const { requests } = engineNames();

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const limits = { window: 16, ackWaitMs: 1_000, pinMs: 1_500, lookEveryMs: 200, mostStoredBytes: 2 ** 22 };

describe.each(natsPrograms)("queues on nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  let engine: Engine;
  beforeAll(async () => {
    nats = await startNats({ program });
    engine = await joinNats({ join: [natsAddress(nats.address)] }, { as: "test", env: {}, log: silent });
  });
  afterAll(async () => {
    await engine.close();
    await nats.stop();
  });

  it("are given what a consumer took for done and the server still holds", async () => {
    const bus = await JetStreamBus.open(engine, { ...limits, log: silent });
    const ask = (model: string, id: string) =>
      bus.submit({ id, model, headers: {}, body: new Uint8Array(1), withinMs: 60_000 });
    await ask("lost", "stuck");
    await ask("other", "done");
    // The consumer of "lost" has come further than the message, as after a crash.
    const { consumers } = engine.manager;
    const name = requests.consumer("lost");
    const config = { durable_name: name, ack_policy: AckPolicy.Explicit };
    await consumers.add(requests.stream, { ...config, filter_subject: requests.filter("other") });
    const other = await engine.js.consumers.get(requests.stream, name);
    const message = await other.next();
    await message?.ackAck();
    const taken: string[] = [];
    const owned = bus.own("lost", {
      take: (delivery) => {
        taken.push(delivery.key.split(".").at(-1) ?? "");
        void delivery.finish({ headers: {}, body: new Uint8Array(1) });
      },
      cancel: () => {},
    });
    await expect.poll(() => taken, { timeout: 20_000 }).toEqual(["stuck"]);
    await expect
      .poll(async () => (await engine.manager.streams.info(requests.stream)).state.messages)
      .toBe(0);
    await owned.leave();
    await bus.close();
  });

  it("end by themselves when nobody serves the model any more", async () => {
    const bus = await JetStreamBus.open(engine, { ...limits, log: silent });
    const owned = bus.own("short", { take: () => {}, cancel: () => {} });
    await expect.poll(() => bus.knows("short"), { timeout: 10_000 }).toBe(true);
    const { config } = await engine.manager.consumers.info(requests.stream, requests.consumer("short"));
    expect(config.inactive_threshold).toBe(2 * 86_400_000 * 1_000_000);
    await owned.leave();
    await bus.close();
  });
});
