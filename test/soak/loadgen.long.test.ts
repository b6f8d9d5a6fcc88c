/** The load generator over many requests: its memory stays flat. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { BodyCycle, createV2Caller } from "../../tools/load/v2-caller.ts";
import { generate } from "../../tools/load/generate.ts";
import { poissonSchedule } from "../../tools/load/schedule.ts";

const requests = 150_000;

it("sends 150,000 requests of an open loop in flat memory and counts each once", async () => {
  const server = fork(new URL("../../dist/tools/load/no-op-server.js", import.meta.url));
  const [port] = (await once(server, "message")) as [number];
  const caller = createV2Caller({ url: `http://127.0.0.1:${port}`, model: "no-op", connections: 256 });
  const input = { name: "x", datatype: "FP32", shape: [1, 256], data: new Uint8Array(1_024) } as const;
  const bodies = new BodyCycle([{ parameters: {}, inputs: [input] }]);
  const mib: number[] = [];
  let ended = 0;
  const figures = await generate({
    load: { kind: "open", schedule: poissonSchedule(4_000, 1, { seconds: Infinity, requests }) },
    caller,
    bodies,
    stop: new AbortController().signal,
    onEnd: () => {
      if (++ended % (requests / 10) === 0) mib.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
    },
  });
  await caller.close();
  server.disconnect();
  console.log(
    `MiB after each tenth: ${mib.join(", ")}; p99 ${figures.latency.quantile(0.99)?.toFixed(2)} ms`,
  );
  expect(figures.answered + figures.failed).toBe(requests);
  expect(figures.errors).toEqual({});
  expect((mib.at(-1) as number) - (mib[2] as number)).toBeLessThan(64);
});
