/** Very many calls through the official SDK: memory stays flat, and each call is answered or refused with a reason. */
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { fcEcho, listen } from "../../test/support/wired-targets.ts";
import { SpillwayError } from "../../base/errors.ts";
import { fcTransport } from "./fc-transport.ts";
import { httpTransport } from "./http-transport.ts";
import type { Transport } from "./transport.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Longer than the test: what a call leaves until its timeout is still there in the end. */
const timeoutMs = 600_000;
const json = Buffer.from('{"inputs":[]}');
const payload = Buffer.concat([json, Buffer.alloc(64 * 1_024, 7)]);
const wire = { body: payload, headerBytes: json.length };

function usedMib(): { heap: number; external: number } {
  for (let count = 0; count < 3; count++) collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, external: external / 2 ** 20 };
}

function fcTo(url: string, maxCalls: number): Transport {
  return fcTransport({
    functionName: "f",
    endpoint: url.replace("http://", ""),
    protocol: "http",
    accessKeyId: "ak",
    accessKeySecret: "sk",
    maxCalls,
    costOf: (durationMs) => ({ billedMs: durationMs, cost: 1 }),
  });
}

/** How many calls ended in which way, so many at once. */
async function callMany(transport: Transport, calls: number, inFlight: number): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  let left = calls;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const end = await transport.call("m", wire, timeoutMs).then(
        ({ status, wire: { body } }) => (body.length > 64 * 1_024 ? String(status) : "short"),
        (error: unknown) =>
          error instanceof SpillwayError && error.message !== "" ? error.code : "no reason",
      );
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return ends;
}

it("keeps memory flat over 10,000 invocations of 64 KiB, a quarter of them refused", async () => {
  let calls = 0;
  const url = await listen(
    createServer((request, response) => {
      if (calls++ % 4 > 0) fcEcho(request, response);
      else {
        request.resume().on("end", () => {
          response.writeHead(429).end('{"Code":"ResourceExhausted","Message":"too many"}');
        });
      }
    }),
  );
  const transport = fcTo(url, 16);
  await callMany(transport, 1_000, 16);
  const before = usedMib();
  expect(await callMany(transport, 10_000, 16)).toEqual(
    new Map([
      ["target_throttled", 2_500],
      ["200", 7_500],
    ]),
  );
  const after = usedMib();
  const mib = (value: number): string => `${value.toFixed(1)} MiB`;
  console.log(
    `heap ${mib(before.heap)} before, ${mib(after.heap)} after; external ${mib(before.external)}, ${mib(after.external)}`,
  );
  expect(after.heap - before.heap).toBeLessThan(8);
  expect(after.external - before.external).toBeLessThan(8);
});

it("answers 1,000 concurrent calls, or refuses them with a reason where fewer may be open", async () => {
  const url = await listen(createServer(fcEcho));
  expect(await callMany(fcTo(url, 1_000), 1_000, 1_000)).toEqual(new Map([["200", 1_000]]));
  const bounded = await callMany(fcTo(url, 100), 1_000, 1_000);
  expect(bounded).toEqual(
    new Map([
      ["calls_open", 900],
      ["200", 100],
    ]),
  );
  const mirror = await listen(
    createServer((request, response) => {
      request.pipe(response);
    }),
  );
  const http = httpTransport({ url: mirror, connections: 50 });
  expect(await callMany(http, 1_000, 1_000)).toEqual(new Map([["200", 1_000]]));
  await http.close();
});
