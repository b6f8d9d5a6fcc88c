import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsPrograms, type NatsServer, startNats, whyNoNatsAtAll } from "../../test/support/nats-server.ts";
import { type Engine, joinNats } from "./engine.ts";
import type { JoinOptions } from "./join-fields.ts";
import { natsAddress } from "./nats-address.ts";

const slow = { tags: ["slow"] };
const told: string[] = [];
const tell = (facts: object, text: string): void => void told.push(`${text}: ${JSON.stringify(facts)}`);
const log = { info: tell, warn: tell, error: tell } as never;

function joined(url: string, more: Partial<JoinOptions> = {}, env = {}, stop?: AbortSignal): Promise<Engine> {
  return joinNats({ join: [natsAddress(url)], ...more }, { as: "test", env, log, stop });
}

describe.each(natsPrograms)("joining nats-server $version", slow, ({ path, version }) => {
  const program = { path, version };
  const servers: NatsServer[] = [];
  const started = async (options = {}): Promise<NatsServer> => {
    const server = await startNats({ program, ...options });
    servers.push(server);
    return server;
  };
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  it("tells the version of the server and what it can do", async () => {
    const { address } = await started();
    const engine = await joined(`nats://${address}`, { joinName: "front-1" });
    const isNew = Number(version.split(".")[1]) >= 12;
    expect(engine.version).toBe(version);
    expect(engine.can).toEqual({ pins: isNew, deadlines: isNew, counters: isNew });
    expect(engine.name).toBe("front-1");
    await engine.close();
  });

  it("says that a server has no JetStream, or not that domain", async () => {
    const bare = await started({ jetstream: false });
    await expect(joined(bare.address)).rejects.toThrow(
      /the server has no JetStream for us .*start it with --jetstream/,
    );
    const kept = await started();
    await expect(joined(kept.address, { joinDomain: "plant" })).rejects.toThrow(
      /--join-domain is "plant", and no JetStream of that domain answers/,
    );
  });

  it("proves who it is by user and password, in the URL or the environment, or by a token", async () => {
    const { address } = await started({ lines: ["authorization { user: ann, password: s3cret }"] });
    await (await joined(`nats://ann:s3cret@${address}`)).close();
    await (await joined(address, {}, { NATS_USER: "ann", NATS_PASSWORD: "s3cret" })).close();
    const wrong = joined(`nats://ann:wr0ng@${address}`);
    await expect(wrong).rejects.toThrow(/it does not let us in; check user and password/);
    await expect(wrong).rejects.not.toThrow(/wr0ng/);
    const guarded = await started({ lines: ["authorization { token: t0ken }"] });
    await (await joined(`nats://t0ken@${guarded.address}`)).close();
    await (await joined(guarded.address, {}, { NATS_TOKEN: "t0ken" })).close();
    await expect(joined(guarded.address)).rejects.toThrow(/it does not let us in/);
  });

  it("connects again to a server that was killed, and says so", async () => {
    const server = await started();
    const engine = await joined(server.address);
    let times = 0;
    engine.onReconnect(() => times++);
    engine.onReconnect(() => (times += 100))();
    await server.end("SIGKILL");
    await expect.poll(() => engine.isConnected).toBe(false);
    await server.start();
    await expect.poll(() => times).toBe(1);
    expect(engine.isConnected).toBe(true);
    await engine.close();
    expect(engine.isConnected).toBe(false);
  });
});

describe("joining what is none", slow, () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "spillway-join-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("waits for a server that is not there, says so once, and ends when it is told to", async () => {
    const stop = new AbortController();
    const waiting = joined("127.0.0.1:9", {}, {}, stop.signal);
    await expect.poll(() => told.filter((line) => line.includes("nothing listens there")).length).toBe(1);
    stop.abort();
    await expect(waiting).rejects.toThrow();
  });

  it("says that what answers is no NATS server", async () => {
    const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(
      0,
      "127.0.0.1",
    );
    await once(web, "listening");
    const stop = new AbortController();
    const waiting = joined(`127.0.0.1:${(web.address() as AddressInfo).port}`, {}, {}, stop.signal);
    await expect.poll(() => told.some((line) => /NATS server/.test(line))).toBe(true);
    stop.abort();
    await expect(waiting).rejects.toThrow();
    web.close();
  });

  it("names a file that cannot be read, and a certificate without its key", async () => {
    await expect(joined("h", { joinCreds: join(folder, "none.creds") })).rejects.toThrow(
      /--join-creds is ".*none.creds": no such file/,
    );
    writeFileSync(join(folder, "cert.pem"), "");
    await expect(joined("h", { joinCert: join(folder, "cert.pem") })).rejects.toThrow(
      "--join-cert and --join-key go together",
    );
  });

  it.skipIf(whyNoNatsAtAll !== undefined)("does not wait where the server speaks no TLS", async () => {
    const server = await startNats();
    await expect(joined(`tls://${server.address}`)).rejects.toThrow(/it does not speak TLS/);
    await server.stop();
  });
});
