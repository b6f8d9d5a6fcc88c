// @module-tag slow
/** `spillway doctor`: what it tells of this machine, of a file and of those that the file names, and what it keeps to itself. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { version } from "../../base/program/version.ts";
import { freePorts } from "../support/free-ports.ts";
import { joinNats } from "../../base/nats/engine.ts";
import { natsAddress } from "../../base/nats/nats-address.ts";
import { JetStreamBus } from "../../client/daemon/ingress/jetstream/jetstream-bus.ts";
import { runInProcess } from "../support/command-line.ts";
import { startNats, whyNoNatsAtAll } from "../support/nats-server.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-doctor-"));
const file = join(folder, "spillway.yaml");
let server: Server;
let port: number;
let absent: number;

beforeAll(async () => {
  server = createServer((_, response) => {
    response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString());
    response.end(JSON.stringify({ name: "triton", version: "2.60.0", extensions: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
  [absent = 0] = await freePorts(1);
  mkdirSync(join(folder, "models", "empty"), { recursive: true });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function doctor(yaml: string, ...flags: string[]) {
  writeFileSync(file, yaml);
  return runInProcess("doctor", "--config", file, ...flags);
}

it("tells versions, machine, packages and the runtime of models, and that nothing is wrong", async () => {
  const { status, stdout } = await doctor("vqueue: { slo: 1 }\n");
  expect(status).toBe(0);
  expect(stdout).toMatch(new RegExp(`^  spillway +${version.replaceAll(".", String.raw`\.`)}$`, "m"));
  expect(stdout).toContain(process.version);
  expect(stdout).toMatch(/^ {2}optional packages .*onnxruntime-node \d+\.\d+\.\d+/m);
  expect(stdout).toMatch(/^ {2}ONNX Runtime +\d+\.\d+\.\d+ \(/m);
  expect(stdout).toMatch(/^ {2}providers +cpu/m);
  expect(stdout).toMatch(/^ {2}clock +\d{4}-/m);
  expect(stdout).toMatch(/nothing is wrong\n$/);
});

it("asks those that the file names: who they are, how their clocks go, and who does not answer", async () => {
  const yaml = `vqueue: { edge: ["a=http://127.0.0.1:${port}", "b=http://127.0.0.1:${absent}"] }\n`;
  const { status, stdout } = await doctor(yaml);
  expect(status).toBe(2);
  // Its answer may come in the next second.
  expect(stdout).toMatch(
    new RegExp(`http://127.0.0.1:${port} answers: triton 2.60.0, its clock is (?:3600|3599) s behind`),
  );
  expect(stdout).toMatch(
    new RegExp(`^! vqueue.edge +http://127.0.0.1:${absent} does not answer: ECONNREFUSED`, "m"),
  );
  const quiet = await doctor(yaml, "--no-reach");
  expect([quiet.status, quiet.stdout.includes("answers")]).toEqual([0, false]);
});

it("names what is wrong with the file and with the models in it", async () => {
  const yaml = `edge: { models: "${join(folder, "models")}", replicsa: 2 }\n`;
  const { status, stdout } = await doctor(yaml);
  expect(status).toBe(2);
  expect(stdout).toContain('unknown option "replicsa"; did you mean "replicas"');
  expect(stdout).toMatch(/^! model empty +.*no VERSION\/model\.onnx in it/m);
  expect(stdout).toMatch(/2 faults, marked with !\n$/);
  const missing = await runInProcess("doctor", "--config", "/no/such/file");
  expect([missing.status, missing.stdout]).toEqual([
    2,
    expect.stringMatching(/^! file +\/no\/such\/file: no such file/m),
  ]);
});

it("shows no secret, not as text and not as JSON", async () => {
  process.env["SPILLWAY_ADMIN_TOKEN"] = "hidden-in-the-environment";
  try {
    const secret = `http://user:hidden-in-the-url@127.0.0.1:${port}/?token=hidden-in-the-query`;
    const yaml = `vqueue: { edge: "${secret}", adminToken: "hidden in the file" }\nedge: { adminToken: "hidden-in-the-file-too" }\n`;
    for (const flags of [[], ["--json"]]) {
      const { stdout, stderr } = await doctor(yaml, ...flags);
      expect(stdout).toContain("SPILLWAY_ADMIN_TOKEN");
      expect(`${stdout}${stderr}`).not.toMatch(/hidden[- ]in/);
    }
  } finally {
    delete process.env["SPILLWAY_ADMIN_TOKEN"];
  }
});

it("prints one JSON document on demand", async () => {
  const { stdout } = await doctor("vqueue: { slo: 1 }\n", "--json");
  const { findings, faults } = JSON.parse(stdout) as { findings: { about: string }[]; faults: number };
  expect(faults).toBe(0);
  expect(findings.map(({ about }) => about)).toEqual(
    expect.arrayContaining(["spillway", "node", "cores", "file"]),
  );
});

it.skipIf(whyNoNatsAtAll !== undefined)(
  "tells of the NATS server that the file names what waits there, and what is left of those who are gone",
  async () => {
    const nats = await startNats({ lines: ["authorization { user: ann, password: s3cret }"] });
    const yaml = `vqueue: { slo: 1, edge: [], serverless: false, join: ["nats://ann:s3cret@${nats.address}"] }\n`;
    const silent = { info: () => {}, warn: () => {}, error: () => {} };
    const join = [natsAddress(`nats://ann:s3cret@${nats.address}`)];
    const fresh = await doctor(yaml);
    expect(fresh.stdout).toMatch(
      /vqueue.join +127.0.0.1:\d+ is nats-server \S+: 0 requests wait, 0 results are kept/,
    );
    const engine = await joinNats({ join, joinName: "front-1" }, { as: "test", env: {}, log: silent });
    const limits = { window: 16, ackWaitMs: 1_000, pinMs: 1_500, mostStoredBytes: 2 ** 22, log: silent };
    const bus = await JetStreamBus.open(engine, limits);
    await bus.submit({ id: "1", model: "ocr.v2", headers: {}, body: new Uint8Array(1), withinMs: 60_000 });
    await bus.settle("2", { headers: {}, body: new Uint8Array(1) });
    const here = await doctor(yaml);
    expect(here.stdout).toContain("1 requests wait, 1 results are kept");
    expect(here.stdout).toMatch(
      /^! vqueue.join +1 requests wait for model ocr.v2, which no daemon serves now$/m,
    );
    expect(here.stdout).not.toContain("gone");
    if (bus.owners !== undefined) {
      await bus.owners.split("ocr.v2", 2);
      const split = "model ocr.v2 may have 2 owners (8 parts)";
      expect((await doctor(yaml)).stdout).toContain(`${split}: no daemon serves it now`);
      const owned = bus.own("ocr.v2", { take: () => {}, cancel: () => {} }, () => new Map([["box", 1]]));
      const told = `${split}: front-1 has parts 0 1 2 3 4 5 6 7 and box`;
      await expect.poll(async () => (await doctor(yaml)).stdout).toContain(told);
      await owned.leave();
    }
    await bus.close();
    await engine.close();
    const gone = await doctor(yaml);
    expect(gone.stdout).toContain("of 1 that are gone 1 requests and 1 results, which end by themselves");
    expect(gone.stdout).not.toContain("s3cret");
    await nats.stop();
    const away = await doctor(yaml);
    expect(away.stdout).toMatch(/^! vqueue.join +127.0.0.1:\d+ cannot be joined: nothing listens there/m);
  },
);
