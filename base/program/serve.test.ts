/** The HTTP server that the programs share. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { Hono } from "hono";
import { expect, it } from "vitest";
import { createHttpServer } from "./serve.ts";

it("answers HTTP/1.0 without a Host header, as health checks of proxies send it", async () => {
  const server = createHttpServer(new Hono().get("/v2/health/ready", (context) => context.text("ready")));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.end("GET /v2/health/ready HTTP/1.0\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ready/);
  server.close();
});
