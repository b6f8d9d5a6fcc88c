import { randomBytes } from "node:crypto";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsPrograms, type NatsServer, startNats } from "../../test/support/nats-server.ts";
import { CallClient } from "./call-client.ts";
import type { CallMessage } from "./call-message.ts";
import { CallServer, type CallServerOptions } from "./call-server.ts";

describe.each(natsPrograms.slice(0, 1))("calls over nats-server $version", { tags: ["slow"] }, (program) => {
  let nats: NatsServer;
  let [near, far]: NatsConnection[] = [];
  let [calls, servers] = [0, [] as CallServer[]];
  let client: CallClient;
  const mostMessageBytes = 2 ** 20;
  beforeAll(async () => {
    nats = await startNats({ program, jetstream: false });
    [near, far] = [await connect({ servers: nats.address }), await connect({ servers: nats.address })];
    const connection = near;
    const engine = {
      connection,
      mostBytes: mostMessageBytes,
      isConnected: true,
      onReconnect: () => () => {},
    };
    client = new CallClient(engine);
  });
  afterAll(async () => {
    client.close();
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all([near?.close(), far?.close()]);
    await nats.stop();
  });

  /** The subject of a server that answers so. */
  async function serving(answer: CallServerOptions["answer"], mostBodyBytes = 2 ** 24): Promise<string> {
    const subject = `calls.${calls++}`;
    const connection = far as NatsConnection;
    servers.push(new CallServer({ connection, subject, mostMessageBytes, mostBodyBytes, answer }));
    await connection.flush();
    return subject;
  }
  const bytes = (length: number) => new Uint8Array(randomBytes(length));
  const ask = (body = bytes(0)): CallMessage => ({ line: "POST /v2/x", fields: { a: "ä €" }, body });
  const echo: CallServerOptions["answer"] = (call) => Promise.resolve({ ...call, line: "200" });

  it.each([0, 1, mostMessageBytes, 5 * mostMessageBytes + 7])(
    "carries %i bytes there and back",
    async (length) => {
      const message = ask(bytes(length));
      const answer = await client.call(await serving(echo), message, 10_000, 2 ** 24);
      expect({ ...answer, body: Buffer.from(answer.body).equals(message.body) }).toEqual({
        line: "200",
        fields: message.fields,
        body: true,
      });
    },
  );

  it("keeps calls apart that are under way together", async () => {
    const subject = await serving(echo);
    const bodies = Array.from({ length: 20 }, (_, nth) => bytes(1 + nth * 100_000));
    const answers = await Promise.all(bodies.map((body) => client.call(subject, ask(body), 20_000, 2 ** 24)));
    expect(answers.every(({ body }, nth) => Buffer.from(body).equals(bodies[nth] as Uint8Array))).toBe(true);
  });

  it("refuses a body that is too long, and an answer that is", async () => {
    const refused = await client.call(await serving(echo, 1_000), ask(bytes(1_001)), 10_000, 2 ** 24);
    expect([refused.line, Buffer.from(refused.body).toString()]).toEqual([
      "413",
      '{"error":"the body has 1001 bytes; allowed: at most 1000"}',
    ]);
    const long = client.call(await serving(echo), ask(bytes(1_001)), 10_000, 1_000);
    await expect(long).rejects.toMatchObject({ kind: "too-long", message: /1001 bytes; allowed: 1000/ });
  });

  it("asks to be told of connections no longer than a client is open", () => {
    const listeners = new Set<() => void>();
    const engine = {
      connection: near as NatsConnection,
      mostBytes: mostMessageBytes,
      isConnected: true,
      onReconnect: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const clients = Array.from({ length: 5 }, () => new CallClient(engine));
    expect(listeners.size).toBe(5);
    for (const each of clients) each.close();
    expect(listeners.size).toBe(0);
  });

  it("says at once that nobody is there", async () => {
    await expect(client.call("calls.nobody", ask(), 60_000, 1)).rejects.toMatchObject({
      kind: "nobody",
      mayHaveCome: false,
    });
  });

  it("cancels what nobody waits for any more", async () => {
    let cancelled: (() => void) | undefined;
    const seen = new Promise<void>((resolve) => (cancelled = resolve));
    const subject = await serving(
      (_, signal) =>
        new Promise((__, reject) => {
          signal.addEventListener("abort", () => {
            cancelled?.();
            reject(new Error("cancelled"));
          });
        }),
    );
    await expect(client.call(subject, ask(), 50, 1)).rejects.toMatchObject({ kind: "timeout" });
    await seen;
  });

  it("answers what throws with 500", async () => {
    const answer = await client.call(
      await serving(() => Promise.reject(new Error("no"))),
      ask(),
      10_000,
      100,
    );
    expect([answer.line, Buffer.from(answer.body).toString()]).toEqual(["500", '{"error":"no"}']);
  });
});
