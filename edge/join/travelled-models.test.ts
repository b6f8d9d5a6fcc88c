import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { engineNames } from "../../base/nats/engine-names.ts";
import { natsPrograms, type NatsServer, startNats } from "../../test/support/nats-server.ts";
import { TravelledModels } from "./travelled-models.ts";

const { modelBucket } = engineNames();

const stream = `OBJ_${modelBucket}`;
const patient = { timeout: 20_000 };

describe.each(natsPrograms)("models over nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  let connection: NatsConnection;
  let store: ObjectStore;
  let told: { readonly facts: Record<string, unknown>; readonly text: string }[] = [];
  let installed: { readonly model: string; readonly zip: Buffer; readonly folder: string }[] = [];
  let models: TravelledModels | undefined;
  beforeAll(async () => {
    nats = await startNats({ program });
    connection = await connect({ servers: nats.address });
    store = await new Objm(jetstream(connection)).create(modelBucket);
  });
  afterAll(async () => {
    await connection.close();
    await nats.stop();
  });
  beforeEach(() => {
    [told, installed] = [[], []];
  });
  afterEach(async () => {
    await models?.close();
    for (const { name } of await store.list()) await store.delete(name);
  });

  function follow(stallMs = 30_000): void {
    const tell = (facts: object, text: string): void =>
      void told.push({ facts: facts as Record<string, unknown>, text });
    models = new TravelledModels({
      engine: { js: jetstream(connection), names: engineNames() },
      wanted: ["*"],
      install: async (model, zip) => {
        installed.push({ model, zip: readFileSync(zip), folder: dirname(zip) });
        if (model === "bad") throw new Error("it is no model");
      },
      mostBytes: 500_000,
      stallMs,
      log: { info: tell, error: tell } as never,
    });
  }
  const whysOf = (model: string): unknown[] =>
    told.filter(({ facts }) => facts["model"] === model).map(({ facts }) => facts["why"]);
  const partsOf = async (model: string): Promise<string> =>
    `$O.${modelBucket}.C.${(await store.info(model))?.nuid}`;

  it("that are too large are told and not fetched", async () => {
    await store.putBlob({ name: "huge" }, randomBytes(500_001));
    await store.putBlob({ name: "good" }, randomBytes(10));
    follow();
    await expect
      .poll(() => whysOf("huge"), patient)
      .toEqual(["it has 500001 bytes; allowed: at most 500000 (--max-model-mib)"]);
    await expect.poll(() => installed.map(({ model }) => model), patient).toEqual(["good"]);
  });

  it("that break on their way are told, cleaned up and fetched again, and hold up no others", async () => {
    const whole = randomBytes(300_000);
    await store.putBlob({ name: "broken" }, whole);
    await store.putBlob({ name: "good" }, randomBytes(10));
    const manager = await jetstreamManager(connection);
    // One of its parts is lost.
    const part = { next_by_subj: await partsOf("broken"), seq: 1 };
    const first = await manager.direct.getMessage(stream, part);
    await manager.streams.deleteMessage(stream, first?.seq ?? 0, false);
    follow();
    await expect.poll(() => whysOf("broken")[0], patient).toMatch(/checksum|bytes/);
    await expect.poll(() => installed.map(({ model }) => model), patient).toEqual(["good"]);
    expect(
      readdirSync(tmpdir()).filter((name) => installed.some(({ folder }) => folder.endsWith(name))),
    ).toEqual([]);
    await store.putBlob({ name: "broken" }, whole);
    await expect.poll(() => installed.map(({ model }) => model), patient).toEqual(["good", "broken"]);
    expect(installed[1]?.zip.equals(whole)).toBe(true);
    await models?.close();
    expect(installed.some(({ folder }) => existsSync(folder))).toBe(false);
  });

  it("of which nothing more comes are given up for now, and told", async () => {
    await store.putBlob({ name: "gone" }, randomBytes(1_000));
    const manager = await jetstreamManager(connection);
    await manager.streams.purge(stream, { filter: await partsOf("gone") });
    follow(200);
    await expect
      .poll(() => whysOf("gone")[0], patient)
      .toBe("0 of its 1000 bytes came, and nothing more within 200 ms");
    expect(told[0]?.facts).toMatchObject({ attempts: 1, againInMs: 2_000 });
    await store.putBlob({ name: "gone" }, randomBytes(1_000));
    await expect.poll(() => installed.map(({ model }) => model), patient).toEqual(["gone"]);
  });

  it("that cannot be installed are told once, and tried again when they are put again", async () => {
    const zip = randomBytes(100);
    await store.putBlob({ name: "bad" }, zip);
    follow();
    await expect.poll(() => whysOf("bad"), patient).toEqual(["it is no model"]);
    await store.putBlob({ name: "bad" }, zip);
    await expect.poll(() => whysOf("bad").length, patient).toBe(2);
    expect(installed).toHaveLength(2);
  });
});
