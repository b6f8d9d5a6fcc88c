import { Objm } from "@nats-io/obj";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, joinNats } from "../../../../base/nats/engine.ts";
import { engineNames } from "../../../../base/nats/engine-names.ts";
import { natsAddress } from "../../../../base/nats/nats-address.ts";
import { natsPrograms, type NatsServer, startNats } from "../../../../test/support/nats-server.ts";
import { JetStreamBus } from "./jetstream-bus.ts";
import { LargeBodies } from "./large-bodies.ts";
import type { BusResult } from "./request-bus.ts";

const { largeBodies } = engineNames();

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const bytes = (count: number) => new Uint8Array(count).fill(7);
const bounds = { mostStoredBytes: 2 ** 22, mostBytes: 2 ** 22, mostHeldBytes: 2 ** 22 };
const stream = `OBJ_${largeBodies.bucket}`;
const never = new AbortController().signal;

describe.each(natsPrograms)(
  "bodies beside messages on nats-server $version",
  { tags: ["slow"] },
  (program) => {
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

    const messages = async () => (await engine.manager.streams.info(stream)).state.messages;

    it("take no room before there is one, and end by themselves at the latest", async () => {
      const bodies = new LargeBodies({ engine, ...bounds });
      expect(await bodies.sweep(Date.now())).toBe(0);
      await expect(engine.manager.streams.info(stream)).rejects.toThrow(/not found/);
      const { name } = await bodies.put("q.f.1", bytes(10), 1_000);
      const { config } = await engine.manager.streams.info(stream);
      expect(config).toMatchObject({ max_bytes: 2 ** 22, max_age: 87_000_000 * 1_000_000 });
      await bodies.remove(name);
      expect(await messages()).toBe(0);
    });

    it("of those who are gone are swept when their time is over, and what was never whole", async () => {
      const bodies = new LargeBodies({ engine, ...bounds });
      const { name } = await bodies.put("q.gone.1", bytes(1_000), 5_000);
      const kept = await bodies.put("q.here.1", bytes(1_000), 600_000);
      await engine.js.publish(`$O.${largeBodies.bucket}.C.broken`, bytes(1_000));
      const others = await new Objm(engine.js).open(largeBodies.bucket);
      await others.putBlob({ name: "another's" }, bytes(10));
      const nowMs = Date.now();
      expect(await bodies.sweep(nowMs)).toBe(0);
      expect(await bodies.sweep(nowMs + 66_000)).toBe(1);
      expect(await bodies.sweep(nowMs + 301_000)).toBe(1);
      expect(await bodies.fetch(name, never)).toBeUndefined();
      expect((await bodies.fetch(kept.name, never))?.body).toEqual(bytes(1_000));
      await bodies.remove(kept.name);
      expect(await bodies.sweep(nowMs + 3_670_000)).toBe(1);
      expect(await messages()).toBe(0);
    });

    it("are fetched no faster than there is room for them", async () => {
      const bodies = new LargeBodies({ engine, ...bounds, mostHeldBytes: 1_500 });
      const [one, two] = [
        await bodies.put("q.f.1", bytes(1_000), 60_000),
        await bodies.put("q.f.2", bytes(1_000), 60_000),
      ];
      const first = await bodies.fetch(one.name, never);
      let isThere = false;
      const second = bodies.fetch(two.name, never).then((fetched) => {
        isThere = true;
        return fetched;
      });
      await messages();
      expect(isThere).toBe(false);
      first?.done();
      expect((await second)?.body.length).toBe(1_000);
      await Promise.all([bodies.remove(one.name), bodies.remove(two.name)]);
    });

    it("are refused where the store is full, and end with why where they are gone or damaged", async () => {
      const limits = {
        window: 16,
        ackWaitMs: 1_000,
        pinMs: 1_500,
        mostStoredBytes: 2 ** 22,
        mostBodyBytes: 2 ** 22,
      };
      const bus = await JetStreamBus.open(engine, { ...limits, log: silent });
      const told = new Map<string, BusResult>();
      bus.onResult((id, result) => void told.set(id, result));
      const sent = (id: string) =>
        bus.submit({ id, model: "m", headers: {}, body: bytes(1_200_000), withinMs: 60_000 });
      await Promise.all(["damaged", "gone"].map(sent));
      await expect(Promise.all(["a", "b"].map(sent))).rejects.toMatchObject({ code: "queue_full" });
      const { state } = await engine.manager.streams.info(stream, {
        subjects_filter: `$O.${largeBodies.bucket}.>`,
      });
      expect(Object.keys(state.subjects ?? {}).length).toBeGreaterThan(2);
      const store = new LargeBodies({ engine, ...bounds });
      await engine.manager.streams.purge(stream, { filter: `$O.${largeBodies.bucket}.M.>` });
      expect(await store.fetch("q.any", never)).toBeUndefined();
      const owned = bus.own("m", { take: (delivery) => delivery.drop(), cancel: () => {} });
      await expect.poll(() => told.size).toBeGreaterThan(1);
      expect(Buffer.from(told.get("gone")?.body ?? "").toString()).toContain("not there any more");
      await owned.leave();
      await bus.close();
    });
  },
);
