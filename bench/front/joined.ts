/**
 * What sharing requests over NATS costs beside a daemon by itself: requests of 1 KiB and of 150 KB to models that do
 * nothing, through a daemon without `--join`, and through one that joined a nats-server which another daemon owns the queue
 * of, in turn in one run. Usage: joined.js [ROUNDS]; needs nats-server in the PATH, or in NATS_SERVER.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inColumns } from "../../base/columns.ts";
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";
import { httpTransport } from "../../client/transports/http-transport.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { noOpHandler } from "./no-op-handler.ts";
import { type StartedProgram, startProgram } from "./program.ts";

const [rounds = 5] = process.argv.slice(2).map(Number);
const sizes = [1_024, 150_000];
const flights = [1, 32];
const roundMs = 1_000;
const nameOf = (bytes: number): string => `no-op-${bytes}`;

interface Turn {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function turn(url: string, bytes: number, inFlight: number): Promise<Turn> {
  const transport = httpTransport({ url, connections: inFlight });
  const inputs = [tensorFromNumbers("x", "UINT8", [1, bytes], new Uint8Array(bytes))];
  const wire = encodeInferRequest({ parameters: {}, inputs }, { binary: true });
  const tooksMs: number[] = [];
  const startedAtMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() < startedAtMs + roundMs) {
      const sentAtMs = performance.now();
      const { status } = await transport.call(nameOf(bytes), wire, 10_000);
      if (status !== 200) throw new Error(`status ${status}`);
      tooksMs.push(performance.now() - sentAtMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  await transport.close();
  const perS = tooksMs.length / ((performance.now() - startedAtMs) / 1_000);
  return {
    perS,
    p50Ms: medianOf(tooksMs),
    p99Ms: quantileOfSorted(
      tooksMs.toSorted((a, b) => a - b),
      0.99,
    ),
  };
}

const folder = mkdtempSync(join(tmpdir(), "spillway-joined-"));
for (const bytes of sizes) {
  const model = join(folder, nameOf(bytes));
  mkdirSync(model);
  writeFileSync(join(model, "handler.js"), noOpHandler(bytes));
  writeFileSync(join(model, "config.yaml"), "joinRows: true\n");
}
const started: StartedProgram[] = [];
const start = async (...args: readonly string[]): Promise<StartedProgram> => {
  const program = await startProgram([...args, "--port", "0"]);
  started.push(program);
  return program;
};
let nats: ChildProcess | undefined;
try {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  await once(listener.close(), "close");
  const address = `127.0.0.1:${port}`;
  const flags = ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", join(folder, "nats")];
  nats = spawn(process.env["NATS_SERVER"] ?? "nats-server", flags, { stdio: "ignore" });
  const edge = await start("edge", "--models", folder);
  const shared = ["vqueue", "--no-serverless", "--calibrate", "0"];
  const alone = await start(...shared, "--edge", edge.url);
  const own = await start(...shared, "--edge", edge.url, "--join", address);
  // Nobody is there: what it takes is the other's to answer.
  const front = await start(...shared, "--edge", "http://127.0.0.1:9", "--join", address);
  const ways = { "without --join": alone.url, "the owner": own.url, "another front": front.url };
  await delay(4_000);
  const rows: string[][] = [["bytes", "in flight", "way", "requests/s", "of direct", "p50 ms", "p99 ms"]];
  for (const bytes of sizes)
    for (const inFlight of flights) {
      const turns = new Map<string, Turn[]>();
      for (let round = 0; round <= rounds; round++)
        for (const [way, url] of Object.entries(ways)) {
          const measured = await turn(url, bytes, inFlight);
          // The first round warms up.
          if (round > 0) turns.set(way, [...(turns.get(way) ?? []), measured]);
        }
      const rateOf = (way: string): number => medianOf((turns.get(way) ?? []).map(({ perS }) => perS));
      for (const [way, measured] of turns)
        rows.push([
          `${bytes}`,
          `${inFlight}`,
          way,
          rateOf(way).toFixed(0),
          (rateOf(way) / rateOf("without --join")).toFixed(2),
          medianOf(measured.map(({ p50Ms }) => p50Ms)).toFixed(2),
          medianOf(measured.map(({ p99Ms }) => p99Ms)).toFixed(1),
        ]);
    }
  process.stdout.write(inColumns(rows));
} finally {
  await Promise.all(started.map((program) => program.stop()));
  nats?.kill();
  rmSync(folder, { recursive: true, force: true });
}
