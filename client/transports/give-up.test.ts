/** Calls that hang on real sockets: the queue gives them up when its policy says so, and serves elsewhere. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import type { InferResponse } from "../../protocol/message.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { headerLength } from "../../protocol/v2-http.ts";
import { monotonicClock } from "../../base/clock.ts";
import type { Policy } from "../policies/policy.ts";
import type { QueueEvent } from "../queue/queue-event.ts";
import { VirtualQueue } from "../queue/virtual-queue.ts";
import { fcTransport } from "./fc-transport.ts";
import { httpTransport } from "./http-transport.ts";
import { modelTarget } from "./model-target.ts";
import type { ModelCall } from "./model-call.ts";
import type { Transport } from "./transport.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serving(listener: RequestListener): Promise<{ server: Server; url: string; port: number }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}`, port };
}

/** Answers with the one input that it is sent. */
const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    const cut = Number(request.headers[headerLength]);
    const { inputs } = JSON.parse(body.toString("utf8", 0, cut)) as { inputs: object[] };
    const json = Buffer.from(JSON.stringify({ model_name: "m", outputs: inputs }));
    response.writeHead(200, { [headerLength]: String(json.length) });
    response.end(Buffer.concat([json, body.subarray(cut)]));
  });
};

function targetOver(name: string, transport: Transport) {
  return modelTarget({
    name,
    kind: name === "edge" ? "edge" : "serverless",
    transport,
    maxInFlight: 8,
    assumedLatencyMs: 10,
    callTimeoutMs: 60_000,
  });
}

function call(value: number): ModelCall {
  const inputs = [tensorFromNumbers("x", "FP32", [1, 1], [value])];
  return { model: "m", request: { parameters: {}, inputs }, rows: 1 };
}

/** Everything to the first target while it is well, to be given up once it must be connected, and then to the second. */
const givingUp: Policy = {
  name: "giving up",
  decide: ({ nowMs, line, targets }) => {
    const target = targets[0]?.health(nowMs).kind === "healthy" ? 0 : 1;
    const send = { kind: "dispatch", count: line.length, target, plannedRows: 1, reason: "full" } as const;
    return target === 0 ? { ...send, giveUpAtMs: nowMs + 500 } : send;
  },
};

it.each(["edge over HTTP", "function through the SDK"])(
  "serves a batch elsewhere in time, and ends each request once, when the %s hangs",
  async (kind) => {
    let hungUp = 0;
    const hanging = await serving((request) => {
      request.resume();
      request.socket.on("close", () => hungUp++);
    });
    const healthy = await serving(echo);
    const first =
      kind === "edge over HTTP"
        ? httpTransport({ url: hanging.url, connections: 4 })
        : fcTransport({
            functionName: "f",
            endpoint: `127.0.0.1:${hanging.port}`,
            protocol: "http",
            accessKeyId: "id",
            accessKeySecret: "secret",
            maxCalls: 4,
            costOf: () => ({ billedMs: 0, cost: 0 }),
          });
    const second = httpTransport({ url: healthy.url, connections: 4 });
    const events: QueueEvent[] = [];
    const queue = new VirtualQueue<ModelCall, InferResponse>({
      clock: monotonicClock(),
      policy: givingUp,
      targets: [targetOver("edge", first), targetOver("function", second)],
      sloMs: 20_000,
      observe: (event) => events.push(event),
    });
    const served = await Promise.all([1, 2, 3].map((value) => queue.infer({ payload: call(value) })));
    expect(served.map(({ outcome, target }) => [outcome, target])).toEqual(
      Array.from({ length: 3 }, () => ["served", "function"]),
    );
    const failed = events.filter((event) => event.kind === "result" && !event.ok);
    expect(failed.length).toBeGreaterThan(0);
    for (const result of failed) expect(result).toMatchObject({ code: "target_timeout" });
    expect(events.filter((event) => event.kind === "end").map(({ id }) => id)).toHaveLength(3);
    expect(queue.counts).toMatchObject({ submitted: 3, served: 3, waiting: 0, inFlight: 0 });
    // The hung call is let go of: at once over HTTP, within the SDK's own grace otherwise.
    await expect.poll(() => hungUp, { timeout: 5_000 }).toBeGreaterThan(0);
    await Promise.all([first.close(), second.close()]);
  },
);
