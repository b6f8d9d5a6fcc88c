/**
 * A target of your own: anything that takes a batch and answers each of its parts. This one squares numbers in this
 * process, and is busy with a batch for 20 ms.
 *
 *     node examples/03-own-target.mjs
 *
 * Prints each answer, and with how many others it was computed.
 */
import { fixedPolicy, monotonicClock, VirtualQueue } from "spillway";

/** @type {import("spillway").Target<number, number>} */
const squares = {
  name: "squares",
  kind: "edge",
  maxInFlight: 1,
  assumedLatencyMs: 20,
  send: ({ parts }, done) => {
    setTimeout(() => {
      const answers = parts.map(({ payload }) => payload ** 2);
      done({ ok: true, answers, serviceMs: 20, coldStartMs: 0, cost: 0 });
    }, 20);
  },
};

const queue = new VirtualQueue({
  clock: monotonicClock(),
  policy: fixedPolicy({ batchRows: [3], timeoutMs: 500 }),
  targets: [squares],
  sloMs: 5_000,
});

await Promise.all(
  [1, 2, 3, 4, 5, 6].map(async (payload) => {
    const { answer, batchRows } = await queue.infer({ payload });
    console.log(`${payload} squared is ${answer}, in a batch of ${batchRows}`);
  }),
);
