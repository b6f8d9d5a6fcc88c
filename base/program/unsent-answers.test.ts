import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { boundUnsentAnswers, type UnsentBounds } from "./unsent-answers.ts";

const answerBytes = 16 * 2 ** 20;
const sockets: Socket[] = [];
let server: Server;

async function serverWith(bounds: Partial<UnsentBounds>, bytes = answerBytes): Promise<void> {
  server = createServer((_, response) => response.end(Buffer.alloc(bytes)));
  boundUnsentAnswers(server, bounds);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

function ask(requests = 1): Socket {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(requests));
  sockets.push(socket);
  return socket;
}

const connections = (): Promise<number> =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

it("ends a connection whose caller takes nothing for a while", async () => {
  await serverWith({ stallMs: 50 });
  ask();
  await once(server, "connection");
  await expect.poll(connections).toBe(0);
});

it("ends one that takes its answer drop by drop", async () => {
  await serverWith({ answerMs: 300, msPerMib: 0, graceMs: 20 });
  const socket = ask();
  // Always something, never all.
  const drops = setInterval(() => socket.read(1_000), 5);
  await once(server, "connection");
  await expect.poll(connections).toBe(0);
  clearInterval(drops);
});

it("ends those that have had theirs the longest when all together are too much", async () => {
  // Room for four answers with their heads, not for five.
  await serverWith({ mostBytes: 4.5 * answerBytes, graceMs: 20 });
  let connected = 0;
  server.on("connection", () => connected++);
  for (let index = 0; index < 20; index++) ask();
  await expect.poll(() => connected).toBe(20);
  // What the kernel has taken of an answer still counts until the whole of it is gone.
  await expect.poll(connections).toBe(4);
});

it("counts answers that wait for an earlier one of their connection", async () => {
  await serverWith({ mostBytes: 2 ** 20, graceMs: 20 }, 100_000);
  server.prependListener("request", (request) => request.socket.pause());
  ask(200);
  await once(server, "connection");
  await expect.poll(connections).toBe(0);
});

it("leaves callers alone that read, however often they ask", async () => {
  await serverWith({ stallMs: 2_000, mostBytes: 4 * answerBytes, graceMs: 20 });
  const socket = ask(3);
  let bytes = 0;
  for await (const chunk of socket) {
    bytes += (chunk as Buffer).length;
    if (bytes >= 3 * answerBytes) break;
  }
  expect(bytes).toBeGreaterThanOrEqual(3 * answerBytes);
});
