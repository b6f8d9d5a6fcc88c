/** The edge server's app on a real socket, before real replicas: clients that dawdle, vanish, or are too many. */
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHttpServer } from "../../base/program/serve.ts";
import { createEdgeApp } from "../../edge/server/app.ts";
import { createEdgeDoor } from "../../edge/server/infer-door.ts";
import { ExampleBook } from "../../edge/example/example-book.ts";
import { codecHere } from "../../protocol/server/message-codec.ts";
import { readRoomFor } from "../../protocol/v2-http.ts";
import type { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { eventually } from "../support/built.ts";
import { slowRow, startPool } from "../support/scripted-pool.ts";

/** Of the server to which only clients speak that dawdle. */
const shortTimeouts = {
  headersTimeout: 200,
  requestTimeout: 300,
  connectionsCheckingInterval: 50,
  keepAliveTimeout: 60_000,
  keepAliveInitialDelay: 1_000,
};
const sockets: Socket[] = [];
let pool: ReplicaPool;
const servers: Server[] = [];
let url: string;
let dawdlersPort: number;

beforeAll(async () => {
  pool = await startPool({ maxQueueRows: 2, hangFloorMs: 20_000, pingMs: 60_000 });
  const common = {
    log: pino({ level: "silent" }),
    maxBodyBytes: 2 ** 24,
    examples: new ExampleBook(),
    room: readRoomFor(2 ** 24),
  };
  const app = createEdgeApp({ ...common, models: [pool] });
  const models = { find: (name: string) => (name === pool.model.name ? pool : undefined) };
  const { route } = createEdgeDoor({ ...common, models, codec: codecHere, gate: undefined });
  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  };
  url = `http://127.0.0.1:${await listen(createHttpServer(app, undefined, route))}`;
  dawdlersPort = await listen(createHttpServer(app, shortTimeouts, route));
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await pool.close();
});

function inferBody(values: readonly number[], parameters = {}): string {
  return JSON.stringify({
    parameters,
    inputs: [{ name: "x", datatype: "INT32", shape: [values.length, 1], data: values }],
  });
}

function infer(body: string, signal: AbortSignal | null = null): Promise<Response> {
  return fetch(`${url}/v2/models/scripted/infer`, { method: "POST", body, signal });
}

/** Have the replica run a request until it is let go on. */
async function occupy(): Promise<{ readonly answer: Promise<Response>; readonly goOn: () => void }> {
  const replica = await eventually(() => {
    const [only] = pool.status().replicas;
    expect(only).toMatchObject({ state: "up", batch: undefined });
    return only;
  });
  process.kill(replica?.pid as number, "SIGSTOP");
  const answer = infer(inferBody([5]));
  await eventually(() => expect(pool.status().replicas[0]?.batch).toBeDefined());
  return { answer, goOn: () => process.kill(replica?.pid as number, "SIGCONT") };
}

/** A connection on which that much is said, and all that is answered until its end. */
function dawdle(
  text: string,
  port = dawdlersPort,
): { readonly socket: Socket; readonly answer: Promise<string> } {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let answer = "";
  socket.on("data", (chunk) => (answer += String(chunk)));
  socket.write(text);
  return { socket, answer: once(socket, "close").then(() => answer) };
}

describe("a request over HTTP", () => {
  it("is answered with the version of its model and the replica that ran it", async () => {
    const answer = await (await infer(inferBody([5]))).json();
    expect(answer).toMatchObject({
      model_name: "scripted",
      model_version: "1",
      parameters: { spillway_replica: 0, spillway_service_ms: expect.any(Number) },
    });
  });

  it("is answered 504 when its timeout has passed, in microseconds from its arrival", async () => {
    const late = await infer(inferBody([slowRow(200)], { timeout: 20_000 }));
    expect(late.status).toBe(504);
    expect(await late.json()).toEqual({ error: expect.stringContaining("timeout passed") });
    expect((await infer(inferBody([1], { timeout: -1 }))).status).toBe(400);
  });

  it("leaves the queue when its caller hangs up", async () => {
    const first = await occupy();
    const caller = new AbortController();
    const gone = infer(inferBody([1]), caller.signal);
    await eventually(() => expect(pool.status()).toMatchObject({ queueRows: 1, openRequests: 2 }));
    caller.abort();
    await expect(gone).rejects.toThrow(/abort/);
    await eventually(() => expect(pool.status()).toMatchObject({ queueRows: 0, openRequests: 1 }));
    first.goOn();
    expect((await first.answer).status).toBe(200);
  });

  it("is told when to come back when the queue is full, however large its body", async () => {
    const first = await occupy();
    const waiting = infer(inferBody([1, 2]));
    await eventually(() => expect(pool.status().queueRows).toBe(2));
    const refused = await infer(inferBody(Array.from({ length: 1_000_000 }, () => 7)));
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    first.goOn();
    expect((await Promise.all([first.answer, waiting])).map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe("a connection", () => {
  const head = "POST /v2/models/scripted/infer HTTP/1.1\r\nhost: edge\r\n";

  it.each([
    ["never ends its headers", head],
    ["never ends its body", `${head}content-length: 1000\r\n\r\n{"inputs":`],
  ])("that %s is ended with 408, and meanwhile others are served", async (_, text) => {
    const slow = Array.from({ length: 50 }, () => dawdle(text));
    expect((await infer(inferBody([5]))).status).toBe(200);
    const answers = await Promise.all(slow.map(({ answer }) => answer));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("that drips a byte now and then is ended all the same", async () => {
    const { socket, answer } = dawdle(head);
    const drip = setInterval(() => socket.write("x"), 20);
    // A byte that comes after the end resets the connection, perhaps before the answer is read.
    const end = await answer.catch((error: NodeJS.ErrnoException) => error.code);
    expect(end).toMatch(/^HTTP\/1\.1 408 |^ECONNRESET$|^EPIPE$/);
    clearInterval(drip);
  });

  it("that says nothing at all is ended", async () => {
    await dawdle("").answer;
  });

  it("whose client has closed its half counts as hung up", async () => {
    const first = await occupy();
    const body = inferBody([1]);
    const port = Number(new URL(url).port);
    const half = dawdle(`${head}content-length: ${body.length}\r\n\r\n${body}`, port);
    await eventually(() => expect(pool.status().queueRows).toBe(1));
    half.socket.end();
    await eventually(() => expect(pool.status().queueRows).toBe(0));
    first.goOn();
    expect((await first.answer).status).toBe(200);
  });

  it("that breaks in the middle of a body leaves nothing behind", async () => {
    const { socket } = dawdle(`${head}content-length: 1000\r\n\r\n{"inputs":`);
    await once(socket, "connect");
    socket.resetAndDestroy();
    await eventually(() => expect(pool.status().openRequests).toBe(0));
    expect((await infer(inferBody([5]))).status).toBe(200);
  });
});
