/**
 * What the edge server costs: time a request takes beyond the model's own run, and requests a second of a model that
 * does nothing, beside a bare route of the same HTTP server in the same run. Client, server and replica are processes
 * of their own on this machine.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Pool } from "undici";
import type { ModelFile } from "../edge/model-runner.ts";
import { embeddedModels } from "../edge/repository.ts";
import { openSession } from "../edge/session.ts";
import { encodeInferRequest } from "../protocol/encode.ts";
import { type Tensor, tensorFromNumbers } from "../protocol/tensor.ts";
import { wireHeaders } from "../protocol/v2-http.ts";

/** What is measured at once: requests, and how many are in flight. */
interface Load {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  readonly inFlight: number;
  readonly requests: number;
}

const line = tensorFromNumbers("x", "FP32", [1, 3, 48, 96], new Float32Array(3 * 48 * 96).fill(0.5));
const kibibyte = tensorFromNumbers("x", "UINT8", [1, 1_024], new Uint8Array(1_024));

const server = fork(new URL("edge-process.js", import.meta.url));
const [port] = (await once(server, "message")) as [number];
const client = new Pool(`http://127.0.0.1:${port}`, { connections: 64, pipelining: 1 });

/** Latencies in milliseconds, ascending, and requests a second. */
async function measure({ path, headers, body, inFlight, requests }: Load): Promise<[number[], number]> {
  const latenciesMs: number[] = [];
  let left = requests;
  const startedAtMs = performance.now();
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const sentAtMs = performance.now();
      const answer = await client.request({ method: "POST", path, headers, body });
      await answer.body.arrayBuffer();
      if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`);
      latenciesMs.push(performance.now() - sentAtMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const perSecond = requests / ((performance.now() - startedAtMs) / 1_000);
  return [latenciesMs.sort((a, b) => a - b), perSecond];
}

function infer(model: string, tensor: Tensor, inFlight: number, requests: number): Load {
  const wire = encodeInferRequest(
    { parameters: { binary_data_output: true }, inputs: [tensor] },
    { binary: true },
  );
  return {
    path: `/v2/models/${model}/infer`,
    headers: wireHeaders(wire),
    body: wire.body,
    inFlight,
    requests,
  };
}

function bare(tensor: Tensor, inFlight: number, requests: number): Load {
  const headers = { "content-type": "application/octet-stream" };
  return { path: "/bare", headers, body: tensor.data, inFlight, requests };
}

const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1] as number;
const ms = (value: number): string => `${value.toFixed(2)} ms`;

/** Median of the bare run of one row in this process, in milliseconds. */
async function bareRunMs(runs: number): Promise<number> {
  const session = await openSession(embeddedModels()[0] as ModelFile, 1);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAtMs = performance.now();
    await session.run([line], [1]);
    times.push(performance.now() - startedAtMs);
  }
  return median(times.sort((a, b) => a - b));
}

await measure(infer("ocr-cls", line, 4, 200));
await measure(infer("no-op", kibibyte, 64, 5_000));
await measure(bare(kibibyte, 64, 5_000));

const runMs = await bareRunMs(400);
console.log(`ocr-cls, bare session.run of one row: ${ms(runMs)} at p50, Node ${process.versions.node}`);
const [wayMs] = await measure(bare(line, 1, 500));
for (const inFlight of [1, 4, 16, 64]) {
  const [latenciesMs, perSecond] = await measure(infer("ocr-cls", line, inFlight, 600));
  const costMs = inFlight === 1 ? median(latenciesMs) - runMs : 1_000 / perSecond - runMs;
  console.log(
    `ocr-cls, ${inFlight} in flight: p50 ${ms(median(latenciesMs))}, ${perSecond.toFixed(0)} requests/s,` +
      ` ${ms(costMs)} a request over the bare run`,
  );
  if (inFlight === 1) {
    console.log(`  of which the way there and back, as a bare route has it: ${ms(median(wayMs))}`);
  }
}

/** In turn, so that what else the machine does falls on both. */
const pairs: [ours: number, bare: number][] = [];
for (let round = 0; round < 5; round++) {
  const [, ours] = await measure(infer("no-op", kibibyte, 64, 5_000));
  const [, route] = await measure(bare(kibibyte, 64, 5_000));
  pairs.push([ours, route]);
}
const [ours, route] = [0, 1].map((side) =>
  median(pairs.map((pair) => pair[side] as number).sort((a, b) => a - b)),
);
console.log(
  `no-op model, 64 in flight, 1 KiB: ${ours?.toFixed(0)} requests/s; a bare hono route ${route?.toFixed(0)};` +
    ` ratio ${((ours as number) / (route as number)).toFixed(2)}`,
);
await client.close();
server.disconnect();
