/** How much the load generator can do at most, and what it adds to a latency: measured against a server that does nothing. */
import { fork } from "node:child_process";
import { once } from "node:events";
import type { BodyCycle } from "./body-cycle.ts";
import { createExchange } from "./exchange.ts";
import { generate } from "./generate.ts";
import { type LoadResult, loadResult } from "./load-result.ts";

export interface Ceiling {
  /** One request after another: what the generator and this machine add to every latency. */
  readonly alone: LoadResult;
  /** With many under way: the most that it sends and takes. */
  readonly busy: LoadResult;
  readonly concurrency: number;
  readonly bodyBytes: number;
}

export interface CeilingOptions {
  readonly bodies: BodyCycle;
  readonly concurrency: number;
  /** For each of the two parts. */
  readonly durationMs: number;
  readonly stop: AbortSignal;
}

/** By then V8 has compiled what is hot, and the connections are open. */
const warmUpMs = 500;

export async function measureCeiling({
  bodies,
  concurrency,
  durationMs,
  stop,
}: CeilingOptions): Promise<Ceiling> {
  const server = fork(new URL("no-op-server.js", import.meta.url));
  const [port] = (await once(server, "message")) as [number];
  const exchange = createExchange({
    url: `http://127.0.0.1:${port}`,
    model: "no-op",
    connections: concurrency,
  });
  const run = async (callers: number, forMs: number): Promise<LoadResult> => {
    const load = { kind: "closed", concurrency: callers, requests: Infinity, durationMs: forMs } as const;
    const figures = await generate({ load, exchange, bodies, stop, onEnd: () => {} });
    return loadResult(figures, 0.99, stop.aborted);
  };
  try {
    await run(concurrency, warmUpMs);
    return {
      alone: await run(1, durationMs),
      busy: await run(concurrency, durationMs),
      concurrency,
      bodyBytes: bodies.meanBytes,
    };
  } finally {
    await exchange.close();
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
