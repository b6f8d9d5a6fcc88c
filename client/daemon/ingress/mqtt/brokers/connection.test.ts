import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mosquitto, startMosquitto, whyNoMosquitto } from "../../../../../test/support/mosquitto.ts";
import { type BrokerConfig, brokerFields } from "../rules/config/broker-fields.ts";
import { connectionOptions } from "./connection.ts";
import { ExternalBroker } from "./external-broker.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-tls-"));
const at = (name: string): string => join(folder, name);
const hasOpenssl = spawnSync("openssl", ["version"]).error === undefined;
const hasPasswd = spawnSync("mosquitto_passwd", ["-h"]).error === undefined;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function config(fields: Partial<BrokerConfig> & { readonly url: string }): BrokerConfig {
  return brokerFields.parse({ name: "plant", clientId: `tls-${process.pid}`, ...fields });
}

/** Why a link does not connect; undefined when it does. */
async function whyNot(
  fields: Partial<BrokerConfig> & { readonly url: string },
  env: Record<string, string> = {},
): Promise<string | undefined> {
  const log: string[] = [];
  const link = new ExternalBroker({
    config: config(fields),
    env,
    events: {
      take: () => Promise.resolve(true),
      waits: () => () => {},
      onDropped: () => {},
      onSlowPublish: () => {},
    },
    mostBytes: 2 ** 20,
    log: pino({}, { write: (line: string) => void log.push(line) }),
  });
  const told = (): boolean => log.some((line) => line.includes("no connection to the broker"));
  await expect.poll(() => link.status().isConnected || told()).toBe(true);
  const { isConnected, why } = link.status();
  await link.close();
  return isConnected ? undefined : why;
}

/** An authority, and a certificate of it for a server and for a client. */
function makeCertificates(name: string, host: string): void {
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    at(`${name}-ca.key`),
    "-out",
    at(`${name}-ca.pem`),
    "-subj",
    `/CN=${name}`,
  );
  for (const who of ["server", "client"]) {
    const file = `${name}-${who}`;
    openssl(
      "req",
      "-x509",
      ...key,
      "-keyout",
      at(`${file}.key`),
      "-out",
      at(`${file}.pem`),
      "-subj",
      `/CN=${who}`,
      "-CA",
      at(`${name}-ca.pem`),
      "-CAkey",
      at(`${name}-ca.key`),
      "-addext",
      `subjectAltName=${host}`,
    );
  }
}

const lacks = whyNoMosquitto ?? (hasOpenssl ? undefined : "openssl is not installed");

describe.skipIf(lacks !== undefined)("a broker with TLS", { tags: ["slow"] }, () => {
  let open: Mosquitto;
  let strict: Mosquitto;
  const server = (name: string): string[] => [
    `cafile ${at(`${name}-ca.pem`)}`,
    `certfile ${at(`${name}-server.pem`)}`,
    `keyfile ${at(`${name}-server.key`)}`,
  ];
  beforeAll(async () => {
    makeCertificates("right", "IP:127.0.0.1");
    makeCertificates("wrong", "DNS:elsewhere.example");
    for (const name of ["right", "wrong"])
      for (const who of ["server", "ca", "client"]) chmodSync(at(`${name}-${who}.key`), 0o644);
    chmodSync(folder, 0o755);
    open = await startMosquitto({ lines: server("right") });
    strict = await startMosquitto({ lines: [...server("right"), "require_certificate true"] });
  });
  afterAll(() => Promise.all([open.stop(), strict.stop()]));
  const url = ({ port }: Mosquitto): string => `mqtts://127.0.0.1:${port}`;

  it("is connected to by the certificate of its authority", async () => {
    expect(await whyNot({ url: url(open), ca: at("right-ca.pem") })).toBeUndefined();
  });

  it.for(["5", "3.1.1"] as const)(
    "is not trusted with an authority that is not known (MQTT %s)",
    async (version) => {
      const why = await whyNot({ url: url(open), version });
      expect(why).toMatch(
        /certificate is not signed by an authority that is known here; ca names the PEM file/,
      );
      expect(await whyNot({ url: url(open), ca: at("wrong-ca.pem"), version })).toMatch(
        /not signed by an authority/,
      );
    },
  );

  it("is not trusted when its certificate is for another host, unless the name is told", async () => {
    const elsewhere = await startMosquitto({ lines: server("wrong") });
    const fields = { url: url(elsewhere), ca: at("wrong-ca.pem") };
    expect(await whyNot(fields)).toMatch(/certificate is for another host name; serverName says/);
    expect(await whyNot({ ...fields, serverName: "elsewhere.example" })).toBeUndefined();
    await elsewhere.stop();
  });

  it("that wants a certificate of ours gets it, and says so when it is missing or wrong", async () => {
    const fields = { url: url(strict), ca: at("right-ca.pem") };
    const own = (name: string) => ({ cert: at(`${name}-client.pem`), key: at(`${name}-client.key`) });
    expect(await whyNot({ ...fields, ...own("right") })).toBeUndefined();
    expect(await whyNot(fields)).toMatch(/does not accept our certificate; cert and key/);
    expect(await whyNot({ ...fields, ...own("wrong") })).toMatch(/does not accept our certificate/);
  });

  it("is not reached without TLS, nor one without TLS by it", async () => {
    const plain = await startMosquitto();
    expect(await whyNot({ url: `mqtts://127.0.0.1:${plain.port}` })).toMatch(/TLS/);
    expect(await whyNot({ url: `mqtt://127.0.0.1:${open.port}` })).toMatch(/TLS/);
    await plain.stop();
  });
});

describe.skipIf(whyNoMosquitto !== undefined || !hasPasswd)("a broker with users", { tags: ["slow"] }, () => {
  let mosquitto: Mosquitto;
  beforeAll(async () => {
    const file = at("passwords");
    writeFileSync(file, "");
    execFileSync("mosquitto_passwd", ["-b", file, "spillway", "secret"]);
    chmodSync(file, 0o644);
    chmodSync(folder, 0o755);
    mosquitto = await startMosquitto({ lines: ["allow_anonymous false", `password_file ${file}`] });
    writeFileSync(at("password"), "secret\n");
  });
  afterAll(() => mosquitto.stop());

  it.for(["5", "3.1.1"] as const)(
    "takes a password from a file or the environment, and no other (MQTT %s)",
    async (version) => {
      const fields = { url: mosquitto.url, version, user: "spillway" };
      expect(await whyNot({ ...fields, passwordFile: at("password") })).toBeUndefined();
      expect(await whyNot({ ...fields, passwordEnv: "PASSWORD" }, { PASSWORD: "secret" })).toBeUndefined();
      expect(await whyNot({ ...fields, passwordEnv: "PASSWORD" }, { PASSWORD: "guess" })).toMatch(
        /user|allow us/,
      );
      expect(await whyNot({ url: mosquitto.url, version })).toMatch(/user|allow us/);
    },
  );
});

describe("the options of a connection", () => {
  const refused = (fields: Partial<BrokerConfig>): (() => unknown) => {
    return () => connectionOptions(config({ url: "mqtts://localhost", ...fields }), {});
  };

  it("names the field and the path of a file that cannot be read", () => {
    expect(refused({ ca: "/no/ca.pem" })).toThrow(
      'broker plant: ca is "/no/ca.pem", which cannot be read (ENOENT)',
    );
    expect(refused({ user: "u", passwordFile: "/no/password" })).toThrow(/passwordFile is .* cannot be read/);
  });

  it("names the variable that is missing, and never a password", () => {
    expect(refused({ user: "u", passwordEnv: "PLANT_PASSWORD" })).toThrow(
      "broker plant: passwordEnv is PLANT_PASSWORD, which is not in the environment",
    );
  });

  it.for([
    ["mqtt://broker", "mqtt", "broker", 1_883],
    ["tcp://broker:77", "mqtt", "broker", 77],
    ["mqtts://broker", "mqtts", "broker", 8_883],
    ["ssl://[::1]:5", "mqtts", "::1", 5],
    ["wss://broker/mqtt", "wss", "broker", 443],
  ] as const)("%s is %s at %s, port %i", ([url, protocol, host, port]) => {
    expect(connectionOptions(config({ url }), {})).toMatchObject({ protocol, host, port, clean: false });
  });

  it("with MQTT 5 asks for a session that lasts and for a bounded window", () => {
    const options = connectionOptions(config({ url: "mqtt://b", sessionExpiry: 60, maxInFlight: 9 }), {});
    expect(options.properties).toMatchObject({ sessionExpiryInterval: 60, receiveMaximum: 9 });
    expect(connectionOptions(config({ url: "mqtt://b", version: "3.1.1" }), {}).properties).toBeUndefined();
  });
});
