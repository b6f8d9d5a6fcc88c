/**
 * A policy of your own. It is a pure function: it is shown the line and the targets, and says what to do next.
 * This one sends up to four rows whenever nothing is under way.
 *
 *     npx spillway edge --load ocr-cls
 *     node examples/02-own-policy.mjs http://127.0.0.1:8000
 *
 * Prints the rows of each batch.
 */
import {
  hasRoom,
  httpTransport,
  modelTarget,
  monotonicClock,
  queueKey,
  tensorFromNumbers,
  VirtualQueue,
} from "spillway";

/** @type {import("spillway").Policy} */
const fours = {
  name: "fours",
  decide: ({ line, targets: [edge], nowMs }) =>
    hasRoom(edge, nowMs)
      ? { kind: "dispatch", count: Math.min(4, line.length), target: 0, plannedRows: 4, reason: "full" }
      : // The queue asks again after each event, and so when the batch comes back.
        { kind: "wait", untilMs: Infinity },
};

const [url = "http://127.0.0.1:8000"] = process.argv.slice(2);
const transport = httpTransport({ url, connections: 1 });
const limits = { maxInFlight: 1, assumedLatencyMs: 100, callTimeoutMs: 10_000 };
const queue = new VirtualQueue({
  clock: monotonicClock(),
  policy: fours,
  targets: [modelTarget({ name: "edge", kind: "edge", transport, ...limits })],
  sloMs: 5_000,
  observe: (event) => {
    if (event.kind === "batch") console.log(`batch of ${event.rows}`);
  },
});

const picture = tensorFromNumbers("x", "FP32", [1, 3, 48, 192], new Float32Array(3 * 48 * 192));
const request = { parameters: {}, inputs: [picture] };
const call = { payload: { model: "ocr-cls", request, rows: 1 }, key: queueKey("ocr-cls", request) };
await Promise.all(Array.from({ length: 9 }, () => queue.infer(call)));
await transport.close();
