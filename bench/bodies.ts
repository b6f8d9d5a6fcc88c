/**
 * Measures what long bodies do to the event loop: each is read on it, which holds it up for the whole time, and in a thread
 * beside it, while a timer notes how long it was held up. Says from which length on a body should not be read on the event loop.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { WireBody } from "../protocol/message.ts";
import { CodecThreads } from "../protocol/server/codec-threads.ts";
import { codecHere, type MessageCodec } from "../protocol/server/message-codec.ts";

const mib = 2 ** 20;

/** A request of about so many bytes, whose data has equal items. */
function request(datatype: string, item: string, bytes: number, isNested = false): WireBody {
  const count = Math.max(1, Math.min(1_000_000, Math.floor(bytes / (item.length + 1))));
  const shape = isNested ? [count, 1] : [count];
  const text = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":${JSON.stringify(shape)},"data":[`;
  return { body: new Uint8Array(Buffer.from(`${text}${`${item},`.repeat(count - 1)}${item}]}]}`)) };
}

const kinds: readonly (readonly [name: string, make: (bytes: number) => WireBody])[] = [
  ["floats", (bytes) => request("FP32", "0.123456", bytes)],
  ["integers of 20 digits", (bytes) => request("UINT64", "12345678901234567890", bytes)],
  ["strings", (bytes) => request("BYTES", '"ab😀"', bytes)],
  ["arrays of one number", (bytes) => request("INT8", "[1]", bytes, true)],
];

async function measure(codec: MessageCodec, wire: WireBody): Promise<{ tookMs: number; heldUpMs: number }> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  // The first turns show how late a timer is without any work.
  await new Promise((resolve) => setTimeout(resolve, 20));
  delays.reset();
  const startedAtMs = performance.now();
  await codec.read(wire, undefined);
  const tookMs = performance.now() - startedAtMs;
  await new Promise((resolve) => setTimeout(resolve, 5));
  delays.disable();
  return { tookMs, heldUpMs: delays.max / 1e6 };
}

const threads = new CodecThreads();
// Starts the threads.
await measure(threads, request("FP32", "1.5", mib));

console.log("body                               on the loop: held up    in a thread: took  held up");
for (const [name, make] of kinds) {
  for (const bytes of [mib / 8, mib, 4 * mib]) {
    const here = await measure(codecHere, make(bytes));
    const apart = await measure(threads, make(bytes));
    const size = `${(make(bytes).body.length / mib).toFixed(2)} MiB of ${name}`;
    const ms = (value: number): string => `${value.toFixed(1)} ms`.padStart(10);
    console.log(
      `${size.padEnd(40)}${ms(here.tookMs).padStart(16)}${ms(apart.tookMs).padStart(20)}${ms(apart.heldUpMs)}`,
    );
  }
}
await threads.close();
