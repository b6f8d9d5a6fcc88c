import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { adminGuard } from "./admin-guard.ts";

function statusOf(token: string | undefined, headers: Record<string, string>, remoteAddress = "127.0.0.1") {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(adminGuard(token));
  app.get("/", (context) => context.text("done"));
  const env = { incoming: { socket: { remoteAddress } } } as HttpBindings;
  return Promise.resolve(app.request("/", { headers }, env)).then(({ status }) => status);
}

describe("without a token", () => {
  it.each<[string, Record<string, string>, string, number]>([
    ["a program on this machine", { host: "127.0.0.1:8000" }, "127.0.0.1", 200],
    ["one that says localhost", { host: "localhost:8000" }, "::1", 200],
    ["one on a mapped address", { host: "[::1]:8000" }, "::ffff:127.0.0.1", 200],
    ["another machine", { host: "10.0.0.1:8000" }, "10.0.0.2", 403],
    ["another machine that says localhost", { host: "localhost" }, "10.0.0.2", 403],
    ["a page whose name leads here", { host: "evil.example:8000" }, "127.0.0.1", 403],
    ["a page of another site", { host: "localhost:8000", origin: "https://evil.example" }, "127.0.0.1", 403],
    ["a proxy on this machine", { host: "localhost:8000", "x-forwarded-for": "10.0.0.2" }, "127.0.0.1", 403],
  ])("%s is answered", async (_, headers, address, status) => {
    expect(await statusOf(undefined, headers, address)).toBe(status);
  });
});

it("with a token lets in those who have it, from anywhere, and nobody else", async () => {
  const token = "a token of some length";
  expect(await statusOf(token, { authorization: `Bearer ${token}` }, "10.0.0.2")).toBe(200);
  expect(await statusOf(token, { authorization: `bearer ${token}` }, "10.0.0.2")).toBe(200);
  for (const authorization of ["", token, `Basic ${token}`, `Bearer ${token}x`, "Bearer a"]) {
    expect(await statusOf(token, { authorization })).toBe(401);
  }
  expect(await statusOf(token, {})).toBe(401);
});
