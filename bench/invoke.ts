/**
 * Measures the ways to a function: the time of a call by each transport, beside a bare request of undici with the same
 * body, in turn in one run. The server, in its own process, sends the body back.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Pool } from "undici";
import { medianOf } from "../base/quantile.ts";
import { fcTransport } from "../client/transports/fc-transport.ts";
import type { HttpAuth } from "../client/transports/http-auth.ts";
import { httpTransport } from "../client/transports/http-transport.ts";
import type { Transport } from "../client/transports/transport.ts";

const timeoutMs = 10_000;
const [blocks, blockCalls] = [20, 100];
const key = { accessKeyId: "bench", accessKeySecret: "bench" };

const server = fork(new URL("invoke-process.js", import.meta.url));
const [port] = (await once(server, "message")) as [number];
const url = `http://127.0.0.1:${port}`;
const pool = new Pool(url, { connections: 4 });
const http = (auth: HttpAuth): Transport => httpTransport({ url, connections: 4, auth });
const transports: Readonly<Record<string, Transport>> = {
  "http, no proof": http({ kind: "none" }),
  "http, acs3": http({ kind: "acs3", ...key }),
  "fc (SDK)": fcTransport({
    functionName: "bench",
    endpoint: `127.0.0.1:${port}`,
    protocol: "http",
    ...key,
    maxCalls: 4,
    costOf: (durationMs) => ({ billedMs: durationMs, cost: 0 }),
  }),
};

type Way = readonly [name: string, call: (body: Uint8Array) => Promise<unknown>];

const ways: readonly Way[] = [
  [
    "undici, bare",
    async (body) => {
      const reply = await pool.request({ method: "POST", path: "/", body });
      await reply.body.arrayBuffer();
    },
  ],
  ...Object.entries(transports).map(([name, transport]): Way => [
    name,
    async (body) => {
      const { status, wire } = await transport.call("m", { body, headerBytes: 0 }, timeoutMs);
      if (status !== 200 || wire.body.length !== body.length) throw new Error(`${name}: a wrong answer`);
    },
  ]),
];

console.log(`a call to a function, p50 over loopback; Node ${process.versions.node}`);
for (const [size, bytes] of [
  ["1 KiB", 1_024],
  ["64 KiB", 65_536],
] as const) {
  const body = new Uint8Array(bytes).fill(7);
  const timesMs = new Map<string, number[]>(ways.map(([name]) => [name, []]));
  // In turn, so that other work of the machine affects all alike. In blocks, because a call pays for the garbage of the
  // one before it. The first block warms up.
  for (let block = 0; block <= blocks; block++) {
    for (const [name, call] of ways) {
      for (let count = 0; count < blockCalls; count++) {
        const startedAtMs = performance.now();
        await call(body);
        if (block > 0) timesMs.get(name)?.push(performance.now() - startedAtMs);
      }
    }
  }
  const bareMs = medianOf(timesMs.get("undici, bare") ?? []);
  for (const [name, times] of timesMs) {
    const ms = medianOf(times);
    console.log(`${size}: ${name}: ${ms.toFixed(3)} ms, ${(ms / bareMs).toFixed(2)} of bare`);
  }
}
await Promise.all([pool.close(), ...Object.values(transports).map((transport) => transport.close())]);
server.disconnect();
