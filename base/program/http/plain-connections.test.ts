/** Requests that are read right on their socket, beside the same server without that: what callers see, and when it ends. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import { eventually } from "../../../test/support/built.ts";
import type { WatchedAnswer } from "../unsent-answers.ts";
import type { HotExchange } from "./exchange.ts";
import { readPlainConnections } from "./plain-connections.ts";
import { readPlainHead } from "./plain-head.ts";

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const never = {
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: 0,
  connectionsCheckingInterval: 1_000,
};

interface Rig {
  readonly server: Server;
  readonly taken: HotExchange[];
  readonly watched: WatchedAnswer[];
  open(): Promise<Socket>;
}

/** A server whose hot route takes what goes to `/hot`; Node's own answers all else with `node`. */
async function rig(
  take: (exchange: HotExchange) => void,
  timeouts: Partial<typeof never> = {},
): Promise<Rig> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end("node"));
  });
  const taken: HotExchange[] = [];
  const watched: WatchedAnswer[] = [];
  const route = (exchange: HotExchange): boolean => {
    if (exchange.url !== "/hot") return false;
    taken.push(exchange);
    take(exchange);
    return true;
  };
  readPlainConnections(server, { ...never, ...timeouts }, route, (answer) => watched.push(answer));
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const open = async (): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  return { server, taken, watched, open };
}

/** Answers with the body, once all of it is there. */
function echo(exchange: HotExchange): void {
  const pieces: Uint8Array[] = [];
  const length = Number(exchange.head.headers.get("content-length")?.[0]);
  const answered = (): void => exchange.answer(200, [], pieces);
  if (length === 0) return answered();
  exchange.readBody(
    (piece) => {
      pieces.push(piece);
      if (pieces.reduce((sum, each) => sum + each.length, 0) === length) answered();
    },
    () => {},
  );
}

const hot = (body: string, path = "/hot"): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** All that comes until a text is in it, which must then be its end. */
async function until(socket: Socket, end: string): Promise<string> {
  let all = "";
  while (!all.endsWith(end)) all += String((await once(socket, "data"))[0]);
  return all;
}

it("answers as Node does, with the same headers", async () => {
  const { open, taken } = await rig(echo, { keepAliveTimeout: 5_000 });
  const socket = await open();
  socket.write(hot("abc"));
  expect(await until(socket, "abc")).toMatch(
    /^HTTP\/1\.1 200 OK\r\ncontent-length: 3\r\nDate: [^\r]+ GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nabc$/,
  );
  expect(taken).toHaveLength(1);
  expect(taken[0]?.head.remoteAddress).toBe("127.0.0.1");
});

it("gives a connection to Node with the first request that is not plain, and all later ones with it", async () => {
  const { open, taken } = await rig(echo);
  const socket = await open();
  socket.write(hot("a"));
  await until(socket, "\r\n\r\na");
  socket.write(hot("b", "/other"));
  await until(socket, "node");
  socket.write(hot("c"));
  expect(await until(socket, "node")).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(taken).toHaveLength(1);
});

it("answers in order what is sent before the first is answered", async () => {
  let goOn = (): void => {};
  const { open, taken } = await rig((exchange) => (goOn = () => echo(exchange)));
  const socket = await open();
  socket.write(hot("first"));
  await eventually(() => expect(taken).toHaveLength(1));
  socket.write(hot("x", "/second") + hot("y", "/third"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  goOn();
  const answers = await until(socket, "node");
  const both = answers.split("node").length === 3 ? answers : answers + (await until(socket, "node"));
  expect(both.indexOf("first")).toBeGreaterThan(0);
  expect(both.indexOf("first")).toBeLessThan(both.indexOf("node"));
  expect(both.split("HTTP/1.1 200 OK")).toHaveLength(4);
});

it("drops the rest of a body that is answered early, and reads the next request behind it", async () => {
  const { open } = await rig((exchange) => exchange.answer(503, [], [Buffer.from("no")]));
  const socket = await open();
  for (let request = 0; request < 3; request++) {
    const bytes = hot("x".repeat(100_000));
    socket.write(bytes.slice(0, 500));
    expect(await until(socket, "no")).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    socket.write(bytes.slice(500));
  }
});

it("ends the connection after an answer that says so", async () => {
  const { open } = await rig((exchange) => exchange.answer(413, ["Connection", "close"], []));
  const socket = await open();
  socket.write(hot("x"));
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\nConnection: close\r\n/);
});

it("ends a connection that drags on: before its first request, within one, or after it", async () => {
  const quick = { connectionsCheckingInterval: 5 };
  const silent = await rig(echo, { ...quick, headersTimeout: 20 });
  expect(await text(await silent.open())).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  const slow = await rig(echo, { ...quick, requestTimeout: 20 });
  const dawdler = await slow.open();
  dawdler.write(hot("0123456789").slice(0, -5));
  expect(await text(dawdler)).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  const idle = await rig(echo, { ...quick, keepAliveTimeout: 20 });
  const asked = await idle.open();
  asked.write(hot("abc"));
  expect(await text(asked)).toMatch(/^HTTP\/1\.1 200 OK[^]*abc$/);
});

it("leaves a request alone that waits for its answer", async () => {
  let answered = (): void => {};
  const times = {
    headersTimeout: 10,
    requestTimeout: 10,
    keepAliveTimeout: 10,
    connectionsCheckingInterval: 5,
  };
  const { open } = await rig((exchange) => (answered = () => echo(exchange)), times);
  const socket = await open();
  socket.write(hot("abc"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  answered();
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK[^]*abc$/);
});

it("closes what is idle with the server, and what is not once it is answered", async () => {
  let answered = (): void => {};
  const { server, open, taken } = await rig((exchange) => (answered = () => echo(exchange)));
  const [unused, busy] = [await open(), await open()];
  busy.write(hot("abc"));
  await eventually(() => expect(taken).toHaveLength(1));
  const closed = once(server, "close");
  server.close();
  await text(unused);
  server.closeIdleConnections();
  expect(busy.readyState).toBe("open");
  answered();
  await until(busy, "abc");
  server.closeIdleConnections();
  await closed;
});

it("has an answer watched that its caller does not take, until it is sent", async () => {
  const large = Buffer.alloc(2 ** 24, "z");
  const { open, watched } = await rig((exchange) => exchange.answer(200, [], [large]));
  const socket = await open();
  socket.pause();
  socket.write(hot("x"));
  await eventually(() => expect(watched).toHaveLength(1));
  let isDone = false;
  watched[0]?.once("close", () => (isDone = true));
  expect(watched[0]?.writableLength).toBeGreaterThan(0);
  socket.resume();
  await eventually(() => expect(isDone).toBe(true));
  expect(watched[0]?.writableLength).toBe(0);
});

it("leaves nothing behind on a connection whose caller took its answers slowly", async () => {
  const large = Buffer.alloc(2 ** 23, "z");
  const { server, open, watched } = await rig((exchange) => exchange.answer(200, [], [large]));
  const connected = once(server, "connection");
  const socket = await open();
  const [accepted] = (await connected) as [Socket];
  const before = accepted.listenerCount("timeout");
  for (let answers = 1; answers <= 3; answers++) {
    socket.pause();
    socket.write(hot("x"));
    await eventually(() => expect(watched).toHaveLength(answers));
    const sent = new Promise<void>((resolve) => watched.at(-1)?.once("close", resolve));
    watched.at(-1)?.setTimeout(60_000, () => accepted.destroy());
    expect(accepted.listenerCount("timeout")).toBe(before + 1);
    socket.resume();
    await sent;
    await eventually(() => expect(accepted.listenerCount("timeout")).toBe(before));
  }
});

it("refuses a body whose caller closes its half before the end", async () => {
  const { open, taken } = await rig(echo);
  const socket = await open();
  socket.end(hot("abc").slice(0, -1));
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n\r\n$/);
  expect(taken).toHaveLength(1);
});

it("tells a request of the end of its connection, before its answer alone", async () => {
  let gone = 0;
  const { open, taken } = await rig((exchange) => {
    exchange.whenGone(() => gone++);
    if (taken.length === 1) echo(exchange);
  });
  const socket = await open();
  socket.write(hot("abc"));
  await until(socket, "abc");
  socket.write(hot("abc"));
  await eventually(() => expect(taken).toHaveLength(2));
  socket.resetAndDestroy();
  await eventually(() => expect(gone).toBe(1));
});

it.each<[what: string, change: (head: string) => string]>([
  ["another method", (head) => head.replace("POST", "PUT")],
  ["HTTP/1.0", (head) => head.replace("HTTP/1.1", "HTTP/1.0")],
  ["a whole URL", (head) => head.replace("/hot", "http://localhost/hot")],
  ["a path that is no ASCII", (head) => head.replace("/hot", "/h\u00f6t")],
  ["no host", (head) => head.replace("Host: localhost\r\n", "")],
  ["two hosts", (head) => head.replace("Host", "Host: a\r\nHost")],
  ["no length", (head) => head.replace(/Content-Length: \d+\r\n/, "")],
  ["two lengths", (head) => head.replace("Content-Length", "Content-Length: 3\r\nContent-Length")],
  ["a length with a sign", (head) => head.replace("Length: ", "Length: +")],
  ["a length in a list", (head) => head.replace("Length: 3", "Length: 3, 3")],
  ["a transfer coding", (head) => head.replace("Host", "Transfer-Encoding: chunked\r\nHost")],
  ["an expectation", (head) => head.replace("Host", "Expect: 100-continue\r\nHost")],
  ["an upgrade", (head) => head.replace("Host", "Connection: upgrade\r\nUpgrade: h2c\r\nHost")],
  ["the wish to close", (head) => head.replace("Host", "Connection: close\r\nHost")],
  ["white space before a colon", (head) => head.replace("Host:", "Host :")],
  ["a folded line", (head) => head.replace("localhost", "local\r\n host")],
  ["a control character", (head) => head.replace("localhost", "local\u0001host")],
  ["a line feed alone", (head) => head.replace("\r\n", "\n")],
  ["a carriage return alone", (head) => head.replace("localhost", "local\rhost")],
  ["no name", (head) => head.replace("Host", ": x\r\nHost")],
  ["many headers", (head) => head.replace("Host", `${"x: y\r\n".repeat(70)}Host`)],
])("leaves a head with %s to Node", (_, change) => {
  const head = hot("abc").slice(0, -3);
  expect(readPlainHead(head)).toMatchObject({ url: "/hot", bodyBytes: 3, count: 2, text: head });
  expect(change(head)).not.toBe(head);
  expect(readPlainHead(change(head))).toBeUndefined();
});

it("reads names in lower case, and values without white space around them", () => {
  const head = readPlainHead(
    hot("").replace("Host: localhost", "HOST: \t a\r\nX-Y:  b \tc \t\r\nx-y: \t\r\nZ:\u00a0"),
  );
  expect(Object.fromEntries(head?.headers ?? [])).toEqual({
    host: ["a"],
    "x-y": ["b \tc", ""],
    z: ["\u00a0"],
    "content-length": ["0"],
  });
});
