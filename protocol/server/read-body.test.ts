import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { createV2App } from "../v2-http.ts";
import { contentCoding } from "./content-coding.ts";
import { ReadRoom, readBody } from "./read-body.ts";

const maxBytes = 1_000_000;
const faults: Error[] = [];
const ended: string[] = [];
let server: Server;
let port: number;

beforeAll(async () => {
  const app = createV2App(maxBytes, (error) => faults.push(error));
  app.use(contentCoding(maxBytes));
  app.post("/", async (context) => {
    try {
      const body = new Uint8Array(await readBody(context));
      const twice = new Uint8Array(await readBody(context).catch(() => new ArrayBuffer(0)));
      return context.json({
        bytes: body.length,
        sum: body.reduce((sum, byte) => sum + byte, 0),
        twice: twice.length,
      });
    } catch (error) {
      ended.push((error as Error).message);
      throw error;
    }
  });
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

beforeEach(() => {
  faults.length = 0;
  ended.length = 0;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function send(head: string, body: string | Uint8Array = ""): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
  socket.write(body);
  return socket;
}

async function answerTo(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) {
    text += String(chunk);
    if (/\r\n\r\n.*\}/s.test(text)) break;
  }
  socket.destroy();
  return text;
}

const chunks = (bytes: number, each: number): string =>
  `${each.toString(16)}\r\n${"a".repeat(each)}\r\n`.repeat(bytes / each) + "0\r\n\r\n";

it("reads bodies of any length, with and without one that is told, and in chunks of one byte", async () => {
  const sum = 97 * 200_000;
  const told = `"bytes":200000,"sum":${sum}`;
  const encoded = "Transfer-Encoding: chunked";
  expect(await answerTo(send("Content-Length: 200000", "a".repeat(200_000)))).toContain(told);
  expect(await answerTo(send(encoded, chunks(200_000, 1)))).toContain(told);
  expect(await answerTo(send(encoded, chunks(200_000, 50_000)))).toContain(told);
  expect(await answerTo(send("Content-Length: 3", "aaa"))).toContain('"bytes":3,"sum":291');
  expect(await answerTo(send(encoded, "0\r\n\r\n"))).toContain('"bytes":0');
  const packed = gzipSync("a".repeat(200_000));
  expect(
    await answerTo(send(`Content-Encoding: gzip\r\nContent-Length: ${packed.length}`, packed)),
  ).toContain(told);
});

it.each([
  ["a length beyond the bound", `Content-Length: ${maxBytes + 1}`, ""],
  ["more than that in chunks", "Transfer-Encoding: chunked", chunks(2_000_000, 100_000)],
  [
    "what becomes too large",
    "Content-Encoding: gzip\r\nTransfer-Encoding: chunked",
    (() => {
      const bomb = gzipSync(Buffer.alloc(20_000_000));
      return Buffer.concat([
        Buffer.from(`${bomb.length.toString(16)}\r\n`),
        bomb,
        Buffer.from("\r\n0\r\n\r\n"),
      ]);
    })(),
  ],
])("refuses %s with 413 and closes the connection", async (_, head, body) => {
  const answer = await answerTo(send(head, body));
  expect(answer).toMatch(
    /^HTTP\/1.1 413 .*\r\nconnection: close\r\n.*too large; allowed: at most 1000000 bytes/is,
  );
  expect(faults).toEqual([]);
});

it.each(["Content-Length: 900000", "Content-Length: 1000", "Transfer-Encoding: chunked"])(
  "counts a caller who goes away within a body (%s) as nobody's fault",
  async (head) => {
    const socket = send(head, /chunked/.test(head) ? "fff\r\nabc" : "abc");
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await expect.poll(() => ended).toEqual(["the caller went away before the end of the body"]);
    expect(faults).toEqual([]);
  },
);

it("has room for so many bytes at a time, and for more once some are given back", () => {
  const room = new ReadRoom(100);
  room.take(60);
  expect(() => room.take(41)).toThrow(
    expect.objectContaining({
      status: 503,
      message: "bodies of 60 bytes are being read; allowed: 100 at a time",
    }),
  );
  room.give(60);
  room.take(100);
});
