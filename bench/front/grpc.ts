/**
 * What gRPC costs beside HTTP, in front of the edge and of the queue and behind the queue: requests of 1 KiB and of 150 KB
 * to models that do nothing, in turn in one run. Clients are the queue's own transports. Usage: grpc.js [ROUNDS]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inColumns } from "../../base/columns.ts";
import { medianOf } from "../../base/quantile.ts";
import { grpcTransport } from "../../client/transports/grpc-transport.ts";
import { httpTransport } from "../../client/transports/http-transport.ts";
import type { Transport } from "../../client/transports/transport.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { noOpHandler } from "./no-op-handler.ts";
import { type StartedProgram, startProgram } from "./program.ts";

const [rounds = 5] = process.argv.slice(2).map(Number);
const sizes = [1_024, 150_000];
const flights = [1, 32];
const roundMs = 1_000;
const nameOf = (bytes: number): string => `no-op-${bytes}`;

/** A pause before each turn lets garbage of the last one go. */
async function turn(
  transport: Transport,
  bytes: number,
  inFlight: number,
): Promise<{ readonly perS: number; readonly p50Ms: number }> {
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
  return { perS: tooksMs.length / ((performance.now() - startedAtMs) / 1_000), p50Ms: medianOf(tooksMs) };
}

const folder = mkdtempSync(join(tmpdir(), "spillway-grpc-"));
for (const bytes of sizes) {
  const model = join(folder, nameOf(bytes));
  mkdirSync(model);
  writeFileSync(join(model, "handler.js"), noOpHandler(bytes));
  writeFileSync(join(model, "config.yaml"), "joinRows: true\n");
}
const started: StartedProgram[] = [];
const start = async (args: readonly string[]): Promise<StartedProgram> => {
  const program = await startProgram([...args, "--port", "0", "--grpc-port", "0"]);
  started.push(program);
  return program;
};
try {
  const edge = await start(["edge", "--models", folder]);
  const queue = (url = ""): Promise<StartedProgram> =>
    start(["vqueue", "--edge", url, "--no-serverless", "--slo", "2", "--calibrate", "3"]);
  const [before, behind] = [await queue(edge.url), await queue(edge.grpcUrl)];
  const http = (url: string): Transport => httpTransport({ url, connections: 64 });
  const grpc = (url = ""): Transport => grpcTransport({ url });
  const ways: Readonly<Record<string, Transport>> = {
    "edge by HTTP": http(edge.url),
    "edge by gRPC": grpc(edge.grpcUrl),
    "queue by HTTP, its edge by HTTP": http(before.url),
    "queue by gRPC, its edge by HTTP": grpc(before.grpcUrl),
    "queue by HTTP, its edge by gRPC": http(behind.url),
  };
  console.log(`Medians of ${rounds} rounds of ${roundMs} ms, Node ${process.versions.node}`);
  for (const bytes of sizes) {
    const rows: string[][] = [
      [`${bytes} bytes`, ...flights.map((n) => `${n} in flight: p50 ms, requests/s`)],
    ];
    const found = new Map<string, { perS: number; p50Ms: number }[]>();
    for (let round = 0; round <= rounds; round++) {
      for (const [way, transport] of Object.entries(ways)) {
        for (const inFlight of flights) {
          const measured = await turn(transport, bytes, inFlight);
          const key = `${way} ${inFlight}`;
          // The first round warms up.
          if (round > 0) found.set(key, [...(found.get(key) ?? []), measured]);
        }
      }
    }
    for (const way of Object.keys(ways)) {
      const cells = flights.map((inFlight) => {
        const measured = found.get(`${way} ${inFlight}`) ?? [];
        const [p50Ms, perS] = [measured.map((each) => each.p50Ms), measured.map((each) => each.perS)];
        return `${medianOf(p50Ms).toFixed(2)}, ${medianOf(perS).toFixed(0)}`;
      });
      rows.push([way, ...cells]);
    }
    console.log(inColumns(rows));
  }
  for (const transport of Object.values(ways)) await transport.close();
} finally {
  for (const program of started.toReversed()) await program.stop();
  rmSync(folder, { recursive: true });
}
