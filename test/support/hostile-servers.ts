/** An edge that answers anything but what it should, and a relay before a good one whose connections die. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer as createRelay, type Socket } from "node:net";
import { listen } from "./wired-targets.ts";

const piece = Buffer.alloc(64 * 1_024, " ");
const metadata = {
  name: "identity",
  parameters: { replicas: 1e9, join_rows: true, max_batch_rows: 2 ** 53 },
  inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [-1, -1] }],
  outputs: [{ name: "OUT_FP32", datatype: "FP32", shape: [-1, -1] }],
};
const answer = {
  model_name: "identity",
  parameters: { spillway_service_ms: 1e300, spillway_queued_ms: -1 },
  outputs: [{ name: "OUT_FP32", datatype: "FP32", shape: [2 ** 31 - 1, 1], data: [1] }],
};

type Misdeed = (request: IncomingMessage, response: ServerResponse) => void;

const misdeeds: readonly Misdeed[] = [
  // Without an end, as fast as it goes.
  (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.writeHead(200).on("drain", more);
    more();
  },
  // Without an end, byte by byte.
  (_, response) => {
    const timer = setInterval(() => response.write("x"), 20);
    response.writeHead(200).on("close", () => clearInterval(timer));
  },
  (request) => void request.socket.destroy(),
  (_, response) => void response.writeHead(200, { "content-length": 1e6 }).write("{"),
  (_, response) => void response.end(JSON.stringify(answer)),
  (_, response) => void response.writeHead(503, { "retry-after": "1e300" }).end("x".repeat(1e6)),
  (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("no gzip"),
];

/** @param random from 0 to 1 */
export function hostileEdge(random: () => number): Promise<string> {
  const misbehave: Misdeed = (request, response) =>
    misdeeds[Math.floor(random() * misdeeds.length)]?.(request, response);
  return listen(
    createServer((request, response) => {
      request.resume().on("error", () => {});
      response.on("error", () => {});
      const { url = "" } = request;
      if (url.endsWith("/infer") || random() < 0.3) return misbehave(request, response);
      if (url.endsWith("/index")) return response.end('[{"name":"identity","version":"1"}]');
      return response.end(JSON.stringify(metadata));
    }),
  );
}

export interface DyingRelay {
  readonly url: string;
  /** Resets every connection, and takes none for so long, in milliseconds. */
  die(forMs: number): void;
  close(): void;
}

/** @param to the port of a server on loopback */
export async function dyingRelay(to: number): Promise<DyingRelay> {
  const sockets = new Set<Socket>();
  let deadUntilMs = 0;
  const relay = createRelay((near) => {
    if (performance.now() < deadUntilMs) return void near.resetAndDestroy();
    const far = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {}).on("close", () => void (sockets.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => void relay.listen(0, "127.0.0.1", resolve));
  const { port } = relay.address() as { port: number };
  const resetAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    die: (forMs) => {
      deadUntilMs = performance.now() + forMs;
      resetAll();
    },
    close: () => {
      relay.close();
      resetAll();
    },
  };
}
