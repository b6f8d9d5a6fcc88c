/** Who may do what, on a real server with raw sockets: what browsers, proxies and attackers send, byte for byte. */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { Hono } from "hono";
import { afterEach, describe, expect, it } from "vitest";
import { neededScope } from "../../protocol/server/needed-scope.ts";
import { createHttpServer } from "../program/serve.ts";
import { AccessGate, type AccessOptions } from "./access-gate.ts";
import { apiKeysIn, sha256Of } from "./api-keys.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Sends bytes and gives back the answer until the server ends the connection. */
function sent(port: number, host: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(bytes));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

async function server(options: AccessOptions = {}, host = "127.0.0.1") {
  const gate = new AccessGate(options);
  const app = new Hono({ strict: false });
  app.use(gate.protect(neededScope));
  let bodies = 0;
  app.all("*", async (context) => {
    if ((await context.req.text()) !== "") bodies++;
    gate.countRows(context, Number(context.req.query("rows") ?? 1));
    return context.text(gate.mayBringCode(context) ? "may bring code" : "let in");
  });
  const http = createHttpServer(app).listen(0, host);
  await once(http, "listening");
  closers.push(() => http.close());
  const { port } = http.address() as AddressInfo;
  const ask = async (line: string, headers: readonly string[] = [], body = "") => {
    const length = body === "" ? [] : [`Content-Length: ${body.length}`];
    const end = line.endsWith("HTTP/1.0") ? [] : ["Connection: close"];
    const head = [line.includes(" HTTP/") ? line : `${line} HTTP/1.1`, ...headers, ...length, ...end];
    const answer = await sent(port, host, `${head.join("\r\n")}\r\n\r\n${body}`);
    const [top = "", ...rest] = answer.split("\r\n\r\n");
    return { status: Number(top.split(" ")[1]), head: top.toLowerCase(), text: rest.join("\r\n\r\n") };
  };
  return { gate, ask, port, bodies: () => bodies };
}

const local = "Host: localhost:8000";
const status = "GET /admin/status";

describe("a program on this machine may do everything", () => {
  it.each([
    ["by name", [local]],
    ["by name in capitals and with a dot at the end", ["hOsT: LOCALHOST.:8000"]],
    ["by address", ["Host: 127.0.0.1:8000"]],
    ["by another address of loopback", ["Host: 127.8.9.10"]],
    ["by the address of IPv6", ["Host: [::1]:8000"]],
    ["by a mapped address", ["Host: [::ffff:7f00:1]:8000"]],
    ["by names of /etc/hosts", ["Host: ip6-localhost"]],
    ["by a name below localhost", ["Host: edge.localhost:8000"]],
    ["typed into a browser", [local, "Sec-Fetch-Site: none"]],
    ["from a page of our own", [local, "Origin: http://localhost:8000", "Sec-Fetch-Site: same-origin"]],
    ["with a token for somebody else", [local, "Authorization: Bearer of-an-edge-behind"]],
    ["with a request id", [local, "X-Request-Id: 7", "User-Agent: curl/8", "Accept: */*"]],
  ])("%s", async (_, headers) => {
    const { ask } = await server();
    expect((await ask(status, headers)).status).toBe(200);
  });

  it("without a Host in HTTP/1.0, and on ::1", async () => {
    expect((await (await server()).ask(`${status} HTTP/1.0`)).status).toBe(200);
    expect((await (await server({}, "::1")).ask(status, ["Host: [::1]:8000"])).status).toBe(200);
  });
});

describe("who shows a sign of a proxy may infer, and no more", () => {
  it.each([
    ["Forwarded: for=9.9.9.9"],
    ["Via: 1.1 proxy"],
    ["X-Forwarded-For: 9.9.9.9"],
    ["x-fORWARDED-pROTO: https"],
    ["X-Forwarded-Host:"],
    ["X_Forwarded_For: 9.9.9.9"],
    ["X-Real-IP: 127.0.0.1"],
    ["X-Original-URL: /v2"],
    ["CF-Connecting-IP: 9.9.9.9"],
    ["CDN-Loop: cdn"],
    ["Referer: https://app.example/page"],
  ])("%s", async (sign) => {
    const { ask } = await server();
    expect((await ask(status, [local, sign])).status).toBe(403);
    expect((await ask("POST /v2/models/m/load", [sign, local])).status).toBe(200);
  });

  it.each([
    ["a name of the public DNS", ["Host: app.example"]],
    ["a name that only begins as ours", ["Host: localhost.app.example"]],
    ["a name that says our address", ["Host: 127.0.0.1.nip.example:8000"]],
    ["an upstream's name", ["Host: backend"]],
    ["no name", ["Host:"]],
    ["two names", [local, "Host: app.example"]],
    ["our name twice", [local, local]],
    ["an address of a network", ["Host: 10.0.0.1:8000"]],
  ])("%s as the host", async (_, headers) => {
    const { ask } = await server();
    expect((await ask(status, headers)).status).toBe(403);
    expect((await ask("POST /v2/models/m/infer", headers)).status).toBe(200);
  });

  it("another host in the target itself", async () => {
    const { ask } = await server();
    expect((await ask("GET http://app.example/admin/status", [local])).status).toBe(403);
    expect((await ask("GET http://localhost:8000/admin/status", [local])).status).toBe(200);
  });

  it("nor do thousands of headers before the sign hide it", async () => {
    const { ask } = await server();
    for (const headers of [500, 1_500, 3_000]) {
      const many = [local, ...Array<string>(headers).fill("a:"), "X-Forwarded-For: 9.9.9.9"];
      expect([headers, (await ask(status, many)).status]).toEqual([headers, 431]);
    }
    expect((await ask(status, [local, ...Array<string>(150).fill("a:")])).status).toBe(200);
  });

  it("however the path is written, and whatever the method", async () => {
    const { ask } = await server();
    const foreign = ["Host: app.example", "X-HTTP-Method-Override: GET", "X-Original-URL: /admin/status"];
    for (const path of [
      "/%61dmin/status",
      "/admin/status/",
      "//admin//status",
      "/ADMIN/status",
      "/v2/../admin/status",
      "/v2/health/%2e%2e/%2E%2e/admin/status",
      "/admin/status?token=0123456789abcdef",
      "/v2/repository/models/m/load",
      "/v2/%72epository/models/m/unload",
      "/v2//repository/models/m/load",
    ]) {
      for (const method of ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"]) {
        expect([method, path, (await ask(`${method} ${path}`, foreign)).status]).toEqual([method, path, 403]);
      }
    }
    expect((await ask("GET /v2/health/live", foreign)).status).toBe(200);
  });
});

describe("a page of another site may do nothing", () => {
  const pages = [
    ["Origin: https://evil.example"],
    ["Origin: null"],
    ["Origin:"],
    ["Origin: http://localhost:3000"],
    ["Origin: https://localhost:8000.evil.example"],
    ["Origin: http://localhost:8000", "Origin: http://localhost:8000"],
    ["oRIGIN: http://localhost:8000/", "Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: same-site"],
    ["Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site:"],
    ["Origin: http://localhost:8000", "Sec-Fetch-Site: cross-site"],
  ];
  it.each(pages.map((headers) => [headers.join(", "), headers] as const))("%s", async (_, headers) => {
    const { ask, bodies } = await server({ token: { text: "0123456789abcdef", endsTrust: true } });
    const all = [local, ...headers, "Authorization: Bearer 0123456789abcdef", "Content-Type: text/plain"];
    for (const line of [
      "POST /v2/models/m/infer",
      "POST /v2/infer",
      "GET /v2/models/m",
      "GET /admin/status",
    ]) {
      expect([line, (await ask(line, all, line.startsWith("POST") ? "{}" : "")).status]).toEqual([line, 403]);
    }
    const preflight = await ask("OPTIONS /v2/infer", [...all, "Access-Control-Request-Method: POST"]);
    expect(preflight.status).toBe(403);
    expect(preflight.head).not.toContain("access-control");
    const upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"];
    expect((await ask("GET /v2/models/m", [...all, ...upgrade])).status).toBe(403);
    expect(bodies()).toBe(0);
  });

  it("nor one whose name leads here, though its origin is the host", async () => {
    const { ask } = await server();
    const rebound = ["Host: evil.example:8000", "Origin: http://evil.example:8000"];
    expect((await ask("POST /v2/models/m/infer", rebound, "{}")).status).toBe(403);
  });

  it("nor may it ask what costs money, by a name that leads here", async () => {
    const { ask } = await server({ questionsCost: true, cors: ["https://known.example"] });
    const forged = ["Host: evil.example:8080", "X-Forwarded-For: 1.2.3.4"];
    expect((await ask("GET /v2/models/m", forged)).status).toBe(403);
    expect((await ask("GET /v2/models/m", ["Host: known.example"])).status).toBe(200);
    expect((await ask("GET /v2/models/m", ["Host: edge-box"])).status).toBe(200);
    expect((await ask("GET /v2/models/m", [local])).status).toBe(200);
    expect((await ask("POST /v2/models/m/infer", forged, "{}")).status).toBe(200);
  });
});

describe("a page that --cors names", () => {
  const origin = "Origin: https://app.example";

  it("is told so before it calls, and may infer and read the answer", async () => {
    const { ask } = await server({ cors: ["https://app.example"] });
    const asking = [local, origin, "Sec-Fetch-Site: cross-site"];
    const wanted = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"];
    const preflight = await ask("OPTIONS /v2/models/m/infer", [...asking, ...wanted]);
    expect(preflight.status).toBe(204);
    expect(preflight.head).toContain("access-control-allow-origin: https://app.example");
    expect(preflight.head).toMatch(/access-control-allow-headers: .*inference-header-content-length/);
    expect(preflight.head).toMatch(/vary: .*origin/);
    expect(preflight.head).not.toContain("allow-credentials");
    const answer = await ask("POST /v2/models/m/infer", asking, "{}");
    expect([answer.status, answer.text]).toEqual([200, "let in"]);
    expect(answer.head).toContain("access-control-allow-origin: https://app.example");
    expect(answer.head).toMatch(/access-control-expose-headers: .*retry-after/);
  });

  it("is no program on this machine, and others stay out", async () => {
    const { ask } = await server({ cors: ["https://app.example"] });
    const refused = await ask(status, [local, origin]);
    expect(refused.status).toBe(403);
    // So that the page can read why.
    expect(refused.head).toContain("access-control-allow-origin: https://app.example");
    for (const other of ["https://app.example.evil", "http://app.example", "https://app.example:444"]) {
      expect((await ask("POST /v2/infer", [local, `Origin: ${other}`], "{}")).status).toBe(403);
    }
    expect((await ask("GET /v2/models/m", [local])).head).toContain("vary: origin");
  });
});

describe("a token", () => {
  const text = "a-token-of-some-length";
  const bearer = `Authorization: Bearer ${text}`;
  const remote = "Host: app.example";

  it("of the state folder lets others in, and this machine needs none but to bring code", async () => {
    const { ask } = await server({ token: { text, endsTrust: false } });
    expect((await ask(status, [local])).text).toBe("let in");
    expect((await ask(status, [local, bearer])).text).toBe("may bring code");
    expect((await ask(status, [remote, "Via: 1.1 x", bearer])).text).toBe("may bring code");
    expect((await ask(status, [remote])).status).toBe(403);
  });

  it("of the operator is needed on this machine too, but to infer", async () => {
    const { ask } = await server({ token: { text, endsTrust: true } });
    for (const line of [status, "GET /metrics", "POST /v2/repository/models/m/unload"]) {
      const refused = await ask(line, [local]);
      expect([refused.status, refused.head.includes("www-authenticate: bearer")]).toEqual([401, true]);
      expect((await ask(line, [local, bearer.replace("Bearer", "bearer")])).status).toBe(200);
    }
    expect((await ask("POST /v2/models/m/infer", [local], "{}")).status).toBe(200);
  });

  it.each([
    ["Authorization:"],
    [`Authorization: ${text}`],
    [`Authorization: Basic ${text}`],
    [`Authorization: Bearer ${text}x`],
    [`Authorization: Bearer x ${text}`],
    [`Authorization: Bearer x\r\nAuthorization: Bearer ${text}`],
    [`X-Api-Key: ${text}`],
    [`Cookie: token=${text}`],
  ])("is not taken from %s", async (header) => {
    const { ask } = await server({ token: { text, endsTrust: true } });
    expect((await ask(`${status}?access_token=${text}`, [local, header])).status).toBe(401);
  });
});

describe("API keys", () => {
  const secrets = { camera: "spw_camera", meter: "spw_meter", boss: "spw_boss" };
  const rate = { requestsPerS: 1e6 };
  const entries = (camera: object = rate) => [
    { name: "camera", sha256: sha256Of(secrets.camera).toString("hex"), ...camera },
    { name: "meter", sha256: sha256Of(secrets.meter).toString("hex"), scopes: ["metrics"], ...rate },
    { name: "boss", sha256: sha256Of(secrets.boss).toString("hex"), scopes: ["infer", "admin"], ...rate },
  ];
  const by = (name: keyof typeof secrets): string => `Authorization: Bearer ${secrets[name]}`;
  const infer = "POST /v2/models/m/infer";

  it("are needed by everybody, also on this machine, and let in by their scopes", async () => {
    const keys = apiKeysIn(entries(), 0);
    const { ask, bodies } = await server({ keys: () => keys, open: ["infer", "metrics"] });
    for (const line of [infer, "GET /v2/models/m", "GET /metrics", status, "POST /v2/repository/index"]) {
      expect([line, (await ask(line, [local])).status]).toEqual([line, 401]);
      expect([line, (await ask(line, [local, "Authorization: Bearer spw_wrong"])).status]).toEqual([
        line,
        401,
      ]);
    }
    expect((await ask("GET /v2/health/ready", [local])).status).toBe(200);
    const statuses = async (name: keyof typeof secrets): Promise<number[]> => {
      const all: number[] = [];
      for (const line of [infer, "GET /metrics", status])
        all.push((await ask(line, [local, by(name)])).status);
      return all;
    };
    expect(await statuses("camera")).toEqual([200, 403, 403]);
    expect(await statuses("meter")).toEqual([403, 200, 403]);
    expect(await statuses("boss")).toEqual([200, 403, 200]);
    // Code needs the admin token itself.
    expect((await ask(status, [local, by("boss")])).text).toBe("let in");
    expect(bodies()).toBe(0);
  });

  it("have a rate: what goes beyond it is told when to come back, and others are not touched", async () => {
    let nowMs = 0;
    const keys = apiKeysIn(entries({ requestsPerS: 0.5, burst: 2 }), 0);
    const { ask, gate } = await server({ keys: () => keys, nowMs: () => nowMs });
    const statusOf = async (name: keyof typeof secrets): Promise<number> =>
      (await ask(infer, [local, by(name)], "{}")).status;
    expect([await statusOf("camera"), await statusOf("camera")]).toEqual([200, 200]);
    nowMs = 500;
    const limited = await ask(infer, [local, by("camera")], "{}");
    expect([limited.status, /retry-after: (\d+)/.exec(limited.head)?.[1]]).toEqual([429, "2"]);
    expect(await statusOf("boss")).toBe(200);
    nowMs = 2_000;
    expect([await statusOf("camera"), await statusOf("camera")]).toEqual([200, 429]);
    expect(gate.counts().find(({ key }) => key === "camera")?.counts).toEqual({
      allowed: 3,
      denied: 0,
      limited: 2,
    });
  });

  it("may count rows: a large request is let in and paid for by waiting", async () => {
    let nowMs = 0;
    const keys = apiKeysIn(entries({ rowsPerS: 10 }), 0);
    const { ask } = await server({ keys: () => keys, nowMs: () => nowMs });
    expect((await ask(`${infer}?rows=30`, [local, by("camera")])).status).toBe(200);
    nowMs = 2_000;
    expect((await ask(infer, [local, by("camera")])).status).toBe(429);
    nowMs = 2_100;
    expect((await ask(infer, [local, by("camera")])).status).toBe(200);
  });

  it("are never repeated, neither in an answer nor in the log", async () => {
    const lines: unknown[] = [];
    const keys = apiKeysIn(entries({ requestsPerS: 1e-9 }), 0);
    const log = { warn: (...args: unknown[]) => void lines.push(args) };
    const { ask } = await server({ keys: () => keys, log, nowMs: () => lines.length * 60_000 });
    const answers = [
      await ask(infer, [local, by("camera")]),
      await ask(infer, [local, by("camera")]),
      await ask(status, [local, by("camera")]),
      await ask(infer, [local, "Authorization: Bearer spw_guess"]),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([200, 429, 403, 401]);
    expect(lines).toHaveLength(3);
    expect(JSON.stringify(lines)).toContain('"key":"camera"');
    expect(JSON.stringify([lines, answers])).not.toMatch(/spw_/);
  });
});
