/** Who may see a dashboard, on a real server with raw heads, as browsers, proxies and attackers send them. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { isDashboard, neededScope } from "../../protocol/server/needed-scope.ts";
import { AccessGate, type AccessOptions } from "../access/access-gate.ts";
import { type ApiKey, apiKeysIn, sha256Of } from "../access/api-keys.ts";
import { createHttpServer } from "../program/serve.ts";
import { EventStreams } from "./event-streams.ts";
import { addDashboardPage } from "./page-routes.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const token = "0123456789abcdef0123";
const guarded: AccessOptions = { token: { text: token, endsTrust: true } };
const origin = "Origin: http://localhost:8080";

async function server(options: AccessOptions = guarded) {
  const world = { nowMs: 0, made: 0, padding: "" };
  const gate = new AccessGate(options);
  const app = new Hono({ strict: false });
  app.use(gate.protect(neededScope, isDashboard));
  const source = {
    first: () => `{"first":${++world.made}}`,
    next: () => `{"next":${++world.made}}${world.padding}`,
  };
  const nowMs = () => world.nowMs;
  const streams = new EventStreams({ source, nowMs, everyMs: 5 });
  const { refusal } = addDashboardPage(app, { gate, html: "<p>page</p>", folder: "none", streams, nowMs });
  app.post("/dashboard/change", (context) => refusal(context) ?? context.json({ changed: true }));
  const http = createHttpServer(app).listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  closers.push(() => {
    streams.close();
    http.close();
  });
  const open = (line: string, headers: readonly string[], body = "") => {
    const socket = connect(port, "127.0.0.1");
    closers.push(() => socket.destroy());
    const host = headers.some((each) => each.startsWith("Host:")) ? [] : ["Host: localhost:8080"];
    const length = body === "" ? [] : [`Content-Length: ${body.length}`];
    socket.write(`${[`${line} HTTP/1.1`, ...host, ...headers, ...length].join("\r\n")}\r\n\r\n${body}`);
    return socket;
  };
  const ask = async (line: string, headers: readonly string[] = [], body = "") => {
    const socket = open(line, [...headers, "Connection: close"], body);
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString()));
    await once(socket, "close");
    const [head = "", ...rest] = answer.split("\r\n\r\n");
    return { status: Number(head.split(" ")[1]), head, text: rest.join("\r\n\r\n") };
  };
  const logIn = (secret: string, headers: readonly string[] = [origin]) =>
    ask("POST /dashboard/login", headers, JSON.stringify({ token: secret }));
  const cookieOf = (head: string) => /set-cookie: ([^;\r]*)/i.exec(head)?.[1] ?? "";
  return { ask, open, logIn, cookieOf, streams, world };
}

describe("the page and its files, which hold no data", () => {
  it.each([
    ["anybody", []],
    [
      "a link on another site",
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
    ],
    ["somebody behind a proxy", ["X-Forwarded-For: 9.9.9.9", "Host: ops.example"]],
  ])("are for %s", async (_, headers) => {
    const { ask } = await server();
    const { status, head } = await ask("GET /dashboard", headers);
    expect(status).toBe(200);
    expect(head).toMatch(
      /content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';/i,
    );
    expect(head).not.toMatch(/unsafe/);
    expect(head).toMatch(/x-content-type-options: nosniff/i);
    expect(head).toMatch(/frame-ancestors 'none'/);
  });

  it("are not read by a script of another site, nor framed", async () => {
    const { ask } = await server();
    expect((await ask("GET /dashboard", ["Origin: https://evil.example"])).status).toBe(403);
    expect((await ask("GET /dashboard", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"])).status).toBe(
      403,
    );
  });
});

describe("the data", () => {
  it("are for programs and browsers on this machine as long as no token or key was asked for", async () => {
    const { ask } = await server({});
    expect((await ask("GET /dashboard/session")).text).toContain('"mayLook":true');
    expect((await ask("POST /dashboard/change", [origin], "{}")).status).toBe(200);
  });

  it.each([
    ["behind a proxy", ["X-Forwarded-For: 9.9.9.9"]],
    [
      "under another name, as after DNS rebinding",
      ["Host: evil.example:8080", "Sec-Fetch-Site: same-origin"],
    ],
    ["from a link on another site", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]],
  ])("are not for a caller %s", async (_, headers) => {
    const { ask } = await server({});
    for (const path of ["stream", "decisions/1"]) {
      const { status } = await ask(`GET /dashboard/${path}`, headers);
      expect([path, status]).toEqual([path, path === "stream" ? 401 : 404]);
    }
    expect((await ask("GET /dashboard/session", headers)).text).toContain('"mayLook":false');
  });

  it("are for the holder of the token or of a key that may administer, by a header", async () => {
    const keys: ApiKey[] = apiKeysIn(
      ["admin", "infer"].map((name) => {
        return { name, sha256: sha256Of(name).toString("hex"), scopes: [name], requestsPerS: 100 };
      }),
      0,
    );
    const { ask } = await server({ ...guarded, keys: () => keys });
    const mayLook = async (secret: string) =>
      (await ask("GET /dashboard/session", [`Authorization: Bearer ${secret}`])).text.includes(
        '"mayLook":true',
      );
    expect([
      await mayLook(token),
      await mayLook("admin"),
      await mayLook("infer"),
      await mayLook("guess"),
    ]).toEqual([true, true, false, false]);
  });
});

describe("a login", () => {
  it("gives a session in a cookie that scripts do not see and other sites do not send", async () => {
    const { ask, logIn, cookieOf } = await server();
    const { status, head, text } = await logIn(token);
    expect(status).toBe(200);
    expect(head).toMatch(
      /set-cookie: spillway_session_8080=[\w-]{43,}; .*Path=\/dashboard; HttpOnly; SameSite=Strict/i,
    );
    expect(head + text).not.toContain(token);
    const cookie = `Cookie: ${cookieOf(head)}`;
    expect((await ask("GET /dashboard/session", [cookie])).text).toBe('{"mayLook":true,"isLoggedIn":true}');
    expect((await ask("POST /dashboard/change", [cookie, origin], "{}")).status).toBe(200);
    expect((await ask("POST /dashboard/logout", [cookie, origin], "{}")).status).toBe(200);
    expect((await ask("GET /dashboard/stream", [cookie])).status).toBe(401);
  });

  it("is sent over TLS alone where the page came over TLS", async () => {
    const { logIn } = await server();
    const headers = ["Host: ops.example", "Origin: https://ops.example", "X-Forwarded-Proto: https"];
    expect((await logIn(token, headers)).head).toMatch(/set-cookie: spillway_session_web=.*; Secure/i);
  });

  it("may come from a page under any name, because the proof is the token", async () => {
    const { logIn } = await server();
    expect((await logIn(token, ["Host: edge-box:8080", "Origin: http://edge-box:8080"])).status).toBe(200);
    const behindProxy = [
      "Host: 127.0.0.1:8080",
      "Origin: https://ops.example",
      "Sec-Fetch-Site: same-origin",
    ];
    expect((await logIn(token, behindProxy)).status).toBe(200);
  });

  it.each([
    ["another site", ["Origin: https://evil.example"]],
    ["a page without an origin", ["Origin: null"]],
    ["two origins", [origin, "Origin: https://evil.example"]],
    ["another site, by the browser's word", [origin, "Sec-Fetch-Site: cross-site"]],
    ["no page", []],
  ])("is refused to %s, and so is a change with a session", async (_, headers) => {
    const { ask, logIn, cookieOf } = await server();
    expect((await logIn(token, headers)).status).toBe(403);
    const cookie = `Cookie: ${cookieOf((await logIn(token)).head)}`;
    expect((await ask("POST /dashboard/change", [cookie, ...headers], "{}")).status).toBe(403);
    expect((await ask("POST /dashboard/logout", [cookie, ...headers], "{}")).status).toBe(403);
  });

  it.each([
    ["{}"],
    ["[]"],
    ["null"],
    ['{"token":7}'],
    ['{"token":""}'],
    ["no JSON"],
    [`{"token":"${"x".repeat(5_000)}"}`],
  ])("with the body %s is none", async (body) => {
    const { ask } = await server();
    expect((await ask("POST /dashboard/login", [origin], body)).status).toBe(401);
  });

  it("is slowed down after five wrong tokens, the right one included", async () => {
    const { logIn, world } = await server();
    for (let count = 0; count < 5; count++) expect((await logIn("wrong")).status).toBe(401);
    const limited = await logIn(token);
    expect(limited.status).toBe(429);
    expect(limited.head).toMatch(/retry-after: 5/i);
    world.nowMs = 6_000;
    expect((await logIn(token)).status).toBe(200);
  });

  it("says of a key without the scope what it lacks", async () => {
    const entry = { name: "k", sha256: sha256Of("k").toString("hex"), scopes: ["infer"], requestsPerS: 9 };
    const keys = apiKeysIn([entry], 0);
    const { logIn } = await server({ ...guarded, keys: () => keys });
    expect((await logIn("k")).text).toContain("no scope admin");
  });
});

describe("the stream", () => {
  it("begins with all there is, goes on, and ends with the session", async () => {
    const { open, logIn, cookieOf, ask, streams } = await server();
    const cookie = `Cookie: ${cookieOf((await logIn(token)).head)}`;
    const socket = open("GET /dashboard/stream", [cookie, "Accept-Encoding: gzip"]);
    let heard = "";
    socket.on("data", (chunk) => (heard += chunk.toString()));
    await expect
      .poll(() => heard)
      .toMatch(/event: full\ndata: {"first":\d+}\n\n[^]*event: next\ndata: {"next":\d+}\n\n/);
    expect(heard).toMatch(/content-type: text\/event-stream/i);
    expect(heard).not.toMatch(/content-encoding/i);
    expect(streams.count).toBe(1);
    const ended = once(socket, "close");
    await ask("POST /dashboard/logout", [cookie, origin], "{}");
    await ended;
    expect(streams.count).toBe(0);
  });

  it("makes nothing while nobody looks, and forgets whoever leaves", async () => {
    const { open, streams, world } = await server({});
    const socket = open("GET /dashboard/stream", []);
    await expect.poll(() => world.made).toBeGreaterThan(3);
    socket.destroy();
    await expect.poll(() => streams.count).toBe(0);
    const { made } = world;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(world.made).toBe(made);
  });

  it("makes each message once for all who look", async () => {
    const { open, streams, world } = await server({});
    for (let count = 0; count < 50; count++) open("GET /dashboard/stream", []).resume();
    await expect.poll(() => streams.count).toBe(50);
    const heard = { chunks: 0 };
    open("GET /dashboard/stream", []).on("data", () => heard.chunks++);
    await expect.poll(() => streams.count).toBe(51);
    const [made, chunks] = [world.made, heard.chunks];
    await expect.poll(() => heard.chunks - chunks).toBeGreaterThan(5);
    expect(world.made - made).toBeLessThan(3 * (heard.chunks - chunks) + 3);
  });

  it("drops whoever does not read, and nobody else", async () => {
    const { open, streams, world } = await server({});
    world.padding = "x".repeat(2 ** 19);
    const stuck = open("GET /dashboard/stream", []);
    stuck.pause();
    open("GET /dashboard/stream", []).resume();
    await expect.poll(() => streams.count).toBe(2);
    await expect
      .poll(() => {
        world.nowMs += 1_000;
        return streams.count;
      })
      .toBe(1);
    const { made } = world;
    await expect.poll(() => world.made).toBeGreaterThan(made + 5);
    expect(streams.count).toBe(1);
  });

  it("is refused to the hundred-and-first", async () => {
    const { open, ask, streams } = await server({});
    for (let count = 0; count < 100; count++) open("GET /dashboard/stream", []).resume();
    await expect.poll(() => streams.count).toBe(100);
    expect((await ask("GET /dashboard/stream")).status).toBe(503);
  });
});
