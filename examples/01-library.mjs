/**
 * The queue as a library: measures an edge server, then decides as the daemon does.
 *
 *     npx spillway edge --load ocr-cls
 *     node examples/01-library.mjs http://127.0.0.1:8000
 *
 * Prints a line for each of five requests: which target answered it, and how many rows its batch had.
 */
import {
  calibrate,
  describedModel,
  exampleOfZeros,
  httpTransport,
  makePolicy,
  modelTarget,
  monotonicClock,
  queueKey,
  readPriceSheet,
  tensorFromNumbers,
  unmeasured,
  VirtualQueue,
} from "spillway";

const [url = "http://127.0.0.1:8000"] = process.argv.slice(2);
const model = "ocr-cls";
const sloMs = 5_000;

const transport = httpTransport({ url, connections: 4 });
const { body } = await transport.get(`/v2/models/${model}`, 5_000);
const profile = await calibrate({
  profile: unmeasured({ edges: [{ name: "edge" }], functions: [], options: { serverlessCalls: 0 } }),
  transports: [transport],
  models: [exampleOfZeros(describedModel(model, body))],
  budgetMs: 3_000,
  longestMs: sloMs,
});

const prices = readPriceSheet("alibaba-fc-cn-2026");
const limits = { maxInFlight: 4, assumedLatencyMs: 100, callTimeoutMs: 10_000 };
const queue = new VirtualQueue({
  clock: monotonicClock(),
  policy: makePolicy({ name: "spillway", sloQuantile: 0.99, targets: profile.targets, prices }, sloMs),
  targets: [modelTarget({ name: "edge", kind: "edge", transport, ...limits })],
  sloMs,
});

const picture = tensorFromNumbers("x", "FP32", [1, 3, 48, 192], new Float32Array(3 * 48 * 192));
const request = { parameters: {}, inputs: [picture] };
const call = { payload: { model, request, rows: 1 }, key: queueKey(model, request) };
await Promise.all(
  Array.from({ length: 5 }, async (_, id) => {
    const { target, batchRows } = await queue.infer(call);
    console.log(`request ${id}: answered by ${target} in a batch of ${batchRows}`);
  }),
);
await transport.close();
