/** The load generator's own limits: what it adds to a latency and its highest rate, against a server that does nothing. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { generate } from "./generate.ts";
import { type LoadResult, loadResult } from "./load-result.ts";
import { type BodyCycle, createV2Caller } from "./v2-caller.ts";

export interface Ceiling {
  /** One request after another: what the generator and this machine add to every latency. */
  readonly alone: LoadResult;
  /** With many requests under way: the highest rate. */
  readonly busy: LoadResult;
  readonly concurrency: number;
  readonly bodyBytes: number;
}

export interface CeilingOptions {
  readonly bodies: BodyCycle;
  readonly concurrency: number;
  /** Length of each of the two parts. */
  readonly durationMs: number;
  readonly stop: AbortSignal;
}

/** Time in which V8 compiles hot code and the connections open. */
const warmUpMs = 500;

export async function measureCeiling(options: CeilingOptions): Promise<Ceiling> {
  const { bodies, concurrency, durationMs, stop } = options;
  const server = fork(new URL("no-op-server.js", import.meta.url));
  const [port] = (await once(server, "message")) as [number];
  const url = `http://127.0.0.1:${port}`;
  const caller = createV2Caller({ url, model: "no-op", connections: concurrency });
  const run = async (callers: number, forMs: number): Promise<LoadResult> => {
    const load = { kind: "closed", concurrency: callers, requests: Infinity, durationMs: forMs } as const;
    const figures = await generate({ load, caller, bodies, stop, onEnd: () => {} });
    return loadResult(figures, 0.99, stop.aborted);
  };
  try {
    await run(concurrency, warmUpMs);
    const alone = await run(1, durationMs);
    const busy = await run(concurrency, durationMs);
    return { alone, busy, concurrency, bodyBytes: bodies.meanBytes };
  } finally {
    await caller.close();
    server.disconnect();
  }
}

export function formatCeiling({ alone, busy, concurrency, bodyBytes }: Ceiling): string {
  return (
    `against a server that does nothing, with bodies of ${Math.round(bodyBytes)} bytes:\n` +
    `  alone    p50 ${ms(alone.latencyMs?.p50)}, p99 ${ms(alone.latencyMs?.p99)}: what the generator adds to a latency\n` +
    `  ceiling  ${Math.round(busy.throughputPerS)} requests a second with ${concurrency} under way` +
    ` (p50 ${ms(busy.latencyMs?.p50)}, p99 ${ms(busy.latencyMs?.p99)})\n`
  );
}

function ms(value = 0): string {
  return `${Number(value.toPrecision(3))} ms`;
}
