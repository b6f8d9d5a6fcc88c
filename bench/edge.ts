/**
 * Measures the edge server: the time of a request beyond the model's own run, and the requests a second of a model that
 * does nothing, beside a bare route of the same HTTP server in the same run. Client, server and replica are separate
 * processes on this machine.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Pool } from "undici";
import type { ModelFile } from "../edge/models/model-runner.ts";
import { embeddedModels } from "../edge/models/repository.ts";
import { medianOf } from "../base/quantile.ts";
import { openSession } from "../edge/models/session.ts";
import { decodeInferResponse } from "../protocol/decode.ts";
import { encodeInferRequest } from "../protocol/encode.ts";
import { type Tensor, tensorFromNumbers } from "../protocol/tensor.ts";
import { headerLength, wireHeaders } from "../protocol/v2-http.ts";

/** One measurement. */
interface BenchLoad {
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

interface Measured {
  readonly latenciesMs: readonly number[];
  /** The model's own time of each request, from its answer; empty for the bare route. */
  readonly servicesMs: readonly number[];
  readonly perSecond: number;
}

async function measure({ path, headers, body, inFlight, requests }: BenchLoad): Promise<Measured> {
  const latenciesMs: number[] = [];
  const servicesMs: number[] = [];
  let left = requests;
  const startedAtMs = performance.now();
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const sentAtMs = performance.now();
      const answer = await client.request({ method: "POST", path, headers, body });
      const bytes = new Uint8Array(await answer.body.arrayBuffer());
      latenciesMs.push(performance.now() - sentAtMs);
      if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`);
      const jsonBytes = answer.headers[headerLength];
      if (jsonBytes === undefined) continue;
      const { parameters } = decodeInferResponse(bytes, Number(jsonBytes));
      servicesMs.push(parameters["spillway_service_ms"] as number);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const perSecond = requests / ((performance.now() - startedAtMs) / 1_000);
  return { latenciesMs, servicesMs, perSecond };
}

function infer(model: string, tensor: Tensor, inFlight: number, requests: number): BenchLoad {
  const wire = encodeInferRequest(
    { parameters: { binary_data_output: true }, inputs: [tensor] },
    { binary: true },
  );
  const path = `/v2/models/${model}/infer`;
  return { path, headers: wireHeaders(wire), body: wire.body, inFlight, requests };
}

function bare(tensor: Tensor, inFlight: number, requests: number): BenchLoad {
  const headers = { "content-type": "application/octet-stream" };
  return { path: "/bare", headers, body: tensor.data, inFlight, requests };
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;

const session = await openSession(embeddedModels()[0] as ModelFile, 1);

/** Times of bare runs of one row in this process, in milliseconds. */
async function bareRuns(runs: number): Promise<number[]> {
  const timesMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAtMs = performance.now();
    await session.run([line], [1]);
    timesMs.push(performance.now() - startedAtMs);
  }
  return timesMs;
}

await bareRuns(100);
await measure(infer("ocr-cls", line, 2, 2_000));
await measure(bare(line, 2, 2_000));
await measure(infer("no-op", kibibyte, 64, 5_000));
await measure(bare(kibibyte, 64, 5_000));

/** In turn, so that other work of the machine affects all alike. */
const inFlights = [1, 4, 16, 64];
const runsMs: number[] = [];
const waysMs: number[] = [];
const rounds: Measured[][] = [];
for (let round = 0; round < 10; round++) {
  runsMs.push(...(await bareRuns(100)));
  waysMs.push(...(await measure(bare(line, 1, 100))).latenciesMs);
  const served: Measured[] = [];
  for (const inFlight of inFlights) {
    served.push(await measure(infer("ocr-cls", line, inFlight, Math.max(100, 3 * inFlight))));
  }
  rounds.push(served);
}
const runMs = medianOf(runsMs);
const wayMs = medianOf(waysMs);
console.log(
  `ocr-cls, one row: bare session.run ${ms(runMs)}, a bare hono route with the same body ${ms(wayMs)} (p50);` +
    ` Node ${process.versions.node}`,
);
for (const [index, inFlight] of inFlights.entries()) {
  const measured = rounds.map((served) => served[index] as Measured);
  const latencyMs = medianOf(measured.flatMap(({ latenciesMs }) => latenciesMs));
  const rate = medianOf(measured.map(({ perSecond }) => perSecond));
  const overMs = inFlight === 1 ? latencyMs - runMs : 1_000 / rate - runMs;
  console.log(
    `ocr-cls, ${inFlight} in flight: p50 ${ms(latencyMs)}, ${rate.toFixed(0)} requests/s,` +
      ` ${ms(overMs)} a request over the bare run`,
  );
  if (inFlight > 1) continue;
  const serviceMs = medianOf(measured.flatMap(({ servicesMs }) => servicesMs));
  console.log(
    `  of it ${ms(serviceMs - runMs)} because the model is slower in its replica, ${ms(wayMs)} as on the bare route,` +
      ` ${ms(latencyMs - serviceMs - wayMs)} the server's own`,
  );
}

/** In turn, so that other work of the machine affects both. */
const pairs: [ours: number, bare: number][] = [];
for (let round = 0; round < 5; round++) {
  const { perSecond: ours } = await measure(infer("no-op", kibibyte, 64, 5_000));
  const { perSecond: route } = await measure(bare(kibibyte, 64, 5_000));
  pairs.push([ours, route]);
}
const [ours, route] = [0, 1].map((side) => medianOf(pairs.map((pair) => pair[side] as number)));
console.log(
  `no-op model, 64 in flight, 1 KiB: ${ours?.toFixed(0)} requests/s; a bare hono route ${route?.toFixed(0)};` +
    ` ratio ${((ours as number) / (route as number)).toFixed(2)}`,
);
await client.close();
server.disconnect();
