// @module-tag slow
/** A load on a real socket: every request is counted once, whatever the server does with it. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import type { InferRequest } from "../../protocol/message.ts";
import { generate, type OfferedLoad } from "./generate.ts";
import type { LoadFigures } from "./load-figures.ts";
import { formatLoadResult, loadResult } from "./load-result.ts";
import { poissonSchedule } from "./schedule.ts";
import { BodyCycle, createV2Caller } from "./v2-caller.ts";

const closings: (() => void)[] = [];
afterEach(() => {
  for (const close of closings.splice(0)) close();
});

async function serverOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  closings.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const request: InferRequest = {
  parameters: {},
  inputs: [{ name: "x", datatype: "UINT8", shape: [1, 2], data: new Uint8Array(2) }],
};

async function loaded(url: string, load: OfferedLoad): Promise<LoadFigures> {
  const caller = createV2Caller({ url, model: "m", connections: 8 });
  const stop = new AbortController().signal;
  const bodies = new BodyCycle([request]);
  const figures = await generate({ load, caller, bodies, stop, onEnd: () => {} });
  await caller.close();
  return figures;
}

it("counts answers, errors by status and broken connections, and adds them up to all requests", async () => {
  let asked = 0;
  const url = await serverOf((incoming, response) => {
    incoming.resume();
    asked++;
    if (asked % 10 === 0) incoming.socket.destroy();
    else response.writeHead(asked % 5 === 0 ? 503 : 200).end("{}");
  });
  const schedule = poissonSchedule(2_000, 1, { seconds: Infinity, requests: 200 });
  const figures = await loaded(url, { kind: "open", schedule });
  const result = loadResult(figures, 0.9, false);
  expect(result).toMatchObject({ requests: 200, errors: { "status 503": 20, reset: 20 } });
  expect(result.answered).toBe(160);
  expect(figures.underWay).toBe(0);
  expect(formatLoadResult(result)).toMatch(/p90 is +invalid: 160 answers; p90 needs 23886/);
});

it("says that nobody listens, and has no latency to tell then", async () => {
  const load = { kind: "closed", concurrency: 2, requests: 6, durationMs: 60_000 } as const;
  const result = loadResult(await loaded("http://127.0.0.1:9", load), 0.99, false);
  expect(result).toMatchObject({ requests: 6, answered: 0, errors: { refused: 6 }, latencyMs: null });
});

it("counts latency from the scheduled moment, so that a server that stalls cannot hide it", async () => {
  const held: (() => void)[] = [];
  const url = await serverOf((incoming, response) => {
    incoming.resume();
    held.push(() => response.end("{}"));
    // The first ones are held until the last one is there.
    if (held.length === 8) for (const answer of held) answer();
  });
  const due = Array.from({ length: 8 }, (_, index) => ({ atS: index / 50, rows: 1 }));
  const { latency } = await loaded(url, { kind: "open", schedule: [due] });
  expect(latency.quantile(1)).toBeGreaterThanOrEqual(140);
});

it("sends as many rows as the schedule asks for", async () => {
  const shapes: string[] = [];
  const url = await serverOf((incoming, response) => {
    let text = "";
    incoming.setEncoding("latin1").on("data", (part) => (text += part));
    incoming.on("end", () => {
      shapes.push(/"shape":\[[^\]]*\]/.exec(text)?.[0] ?? "");
      response.end("{}");
    });
  });
  const due = [1, 3, 3].map((rows) => ({ atS: 0, rows }));
  await loaded(url, { kind: "open", schedule: [due] });
  expect(shapes.sort()).toEqual(['"shape":[1,2]', '"shape":[3,2]', '"shape":[3,2]']);
});
