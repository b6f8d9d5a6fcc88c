/** Edge and queue where others can reach them: behind a proxy on this machine, with tokens, with API keys. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { type RunningProgram, startProgram } from "../contract/running-program.ts";
import { type Call, caller } from "../contract/v2-caller.ts";
import { executable } from "../support/built.ts";
import { tinyZip } from "../support/tiny-zip.ts";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "spillway-exposed-"));
const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
const infer = "/v2/models/id/infer";
const load = "/v2/repository/models/id/load";
const frugal = ["--no-serverless", "--calibrate", "0", "--slo", "10"];

/** A reverse proxy as nginx is by default, which says nothing of itself, or one that tells who called. */
async function startProxy(
  to: string,
  added: IncomingHttpHeaders = {},
): Promise<{ server: Server; url: string }> {
  const { port } = new URL(to);
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const forwarded = { ...headers, host: `127.0.0.1:${port}`, connection: "close", ...added };
    const onward = request({ port, method, path, headers: forwarded }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => void server.once("listening", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe("without API keys", () => {
  const [models, state] = [newFolder(), join(newFolder(), "state")];
  putModel(models, "id", "1", identityModel(["FP32"], [2]));
  const programs: RunningProgram[] = [];
  const proxies: Server[] = [];
  /** The edge, the queue, and each of them behind each kind of proxy. */
  const calls: Record<string, Call> = {};

  beforeAll(async () => {
    const edge = await startProgram("edge", ["--models", models, "--state", state]);
    const queue = await startProgram("vqueue", ["--edge", edge.url, "--state", state, ...frugal]);
    programs.push(edge, queue);
    for (const [name, url] of [
      ["edge", edge.url],
      ["queue", queue.url],
    ] as const) {
      const plain = await startProxy(url);
      const telling = await startProxy(url, { "x-forwarded-for": "9.9.9.9" });
      proxies.push(plain.server, telling.server);
      calls[name] = caller(() => url);
      calls[`${name} behind a plain proxy`] = caller(() => plain.url);
      calls[`${name} behind a telling proxy`] = caller(() => telling.url);
    }
  });
  afterAll(async () => {
    for (const proxy of proxies) proxy.close();
    for (const { stop } of programs) await stop();
  });
  const each = Object.fromEntries(
    ["edge", "queue"].flatMap((name) =>
      ["", " behind a plain proxy", " behind a telling proxy"].map((how) => [`${name}${how}`, true]),
    ),
  );

  it.each(Object.keys(each))("the %s runs no code that a request brings without the token", async (name) => {
    const call = calls[name] as Call;
    const marker = join(newFolder(), "was-run");
    const handler = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(marker)}, "");`;
    const zip = join(newFolder(), "model.zip");
    writeFileSync(zip, tinyZip([{ name: "handler.js", content: Buffer.from(handler) }]));
    const script = `data:text/javascript,import{writeFileSync}from"fs";writeFileSync("${marker}","")`;
    for (const parameters of [
      { "file:1/handler.js": Buffer.from(handler).toString("base64") },
      { spillway_zip: zip },
      { config: JSON.stringify({ env: { NODE_OPTIONS: `--import=${encodeURI(script)}` } }) },
      { config: JSON.stringify({ env: [{}] }) },
    ]) {
      for (const headers of [
        {},
        { authorization: "Bearer 0123456789abcdef" },
        { authorization: "Bearer " },
      ]) {
        const { status, json } = await call(load, { parameters }, { headers });
        expect([401, 403], `${name}: ${JSON.stringify(json)}`).toContain(status);
        expect(JSON.stringify(json)).not.toContain(readFileSync(join(state, "admin-token"), "utf8").trim());
      }
    }
    expect(existsSync(marker)).toBe(false);
    expect((await call(infer, row)).status).toBe(200);
  });

  it("programs on this machine load what the folder has, and look after it, without any set-up", async () => {
    for (const name of ["edge", "queue"]) {
      expect((await calls[name]?.(load, {}))?.status).toBe(200);
      expect((await calls[name]?.(load, { parameters: { config: '{"maxBatchRows": 8}' } }))?.status).toBe(
        200,
      );
      for (const path of ["/admin/status", "/metrics"]) expect((await calls[name]?.(path))?.status).toBe(200);
      const remote = calls[`${name} behind a telling proxy`];
      expect((await remote?.("/admin/status"))?.status).toBe(403);
      expect((await remote?.(load, {}))?.status).toBe(403);
    }
  });

  it("the token is made once, for its owner alone, told where, and lets a zip in through queue and proxy", async () => {
    const path = join(state, "admin-token");
    expect([statSync(state).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    const token = readFileSync(path, "utf8").trim();
    const zip = join(newFolder(), "model.zip");
    writeFileSync(zip, tinyZip([{ name: "model.onnx", content: identityModel(["FP32"], [2]) }]));
    const headers = { authorization: `Bearer ${token}` };
    const parameters = { spillway_zip: zip };
    for (const name of Object.keys(each)) {
      expect([name, await calls[name]?.(load, { parameters }, { headers })]).toMatchObject([
        name,
        { status: 200 },
      ]);
    }
    for (const { log } of programs) {
      expect(log()).toContain(path);
      expect(log()).not.toContain(token);
    }
  });

  it("no page of another site infers, and a simple form does not even get its body read", async () => {
    const headers = { origin: "https://evil.example", "content-type": "text/plain" };
    for (const name of Object.keys(each)) {
      expect([name, (await calls[name]?.(infer, row, { headers }))?.status]).toEqual([name, 403]);
    }
  });
});

describe("with API keys", () => {
  const [models, folder] = [newFolder(), newFolder()];
  putModel(models, "id", "1", identityModel(["FP32"], [2]));
  const made = (...flags: string[]): string =>
    execFileSync(process.execPath, [executable, "api-key", ...flags], { encoding: "utf8" }).trim();
  const [edgeKeys, queueKeys] = [join(folder, "edge.yaml"), join(folder, "queue.yaml")];
  const secrets: Record<string, string> = {};
  const by = (name: string) => ({ headers: { authorization: `Bearer ${secrets[name]}` } });
  let edge: RunningProgram;
  let queue: RunningProgram;

  beforeAll(async () => {
    const scopes = ["--scopes", "infer", "--scopes", "admin"];
    secrets["queue"] = made("--name", "queue", "--file", edgeKeys, "--requests-per-s", "1000", ...scopes);
    secrets["keeper"] = made("--name", "keeper", "--file", queueKeys, "--scopes", "admin");
    secrets["camera"] = made("--name", "camera", "--file", queueKeys);
    secrets["slow"] = made("--name", "slow", "--file", queueKeys, "--requests-per-s", "0.001");
    secrets["prometheus"] = made("--name", "prometheus", "--file", queueKeys, "--scopes", "metrics");
    edge = await startProgram("edge", ["--models", models, "--api-keys", edgeKeys]);
    process.env["EDGE_BEARER_TOKEN"] = secrets["queue"];
    const flags = ["--edge", edge.url, "--edge-auth", "bearer", "--api-keys", queueKeys, ...frugal];
    queue = await startProgram("vqueue", [...flags, "--cors", "https://app.example"]);
    delete process.env["EDGE_BEARER_TOKEN"];
  });
  afterAll(async () => {
    await queue.stop();
    await edge.stop();
  });

  it("a queue with a key serves those who have one of its own, and nobody else reaches either", async () => {
    const [atQueue, atEdge] = [caller(() => queue.url), caller(() => edge.url)];
    expect((await atQueue(infer, row, by("camera"))).status).toBe(200);
    expect((await atQueue("/v2/models/id", undefined, by("camera"))).status).toBe(200);
    expect((await atEdge(infer, row, by("queue"))).status).toBe(200);
    for (const call of [atQueue, atEdge]) {
      expect((await call(infer, row)).status).toBe(401);
      expect((await call("/admin/status")).status).toBe(401);
      expect((await call("/metrics")).status).toBe(401);
      expect((await call("/v2/health/ready")).status).toBe(200);
    }
    expect((await atEdge(infer, row, by("camera"))).status).toBe(401);
    expect((await atQueue(infer, row, by("prometheus"))).status).toBe(403);
  });

  it("a key has its rate, and metrics and log call it by its name", async () => {
    const call = caller(() => queue.url);
    expect((await call(infer, row, by("slow"))).status).toBe(200);
    const limited = await call(infer, row, by("slow"));
    expect([limited.status, Number(limited.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
    expect((await call(infer, row, by("camera"))).status).toBe(200);
    const { json } = await call("/metrics", undefined, by("prometheus"));
    expect(json).toContain('spillway_queue_callers_total{caller="key",key="slow",result="limited"} 1');
    expect(queue.log()).toContain("prometheus");
    const told = queue.log() + edge.log() + readFileSync(edgeKeys, "utf8") + readFileSync(queueKeys, "utf8");
    for (const secret of Object.values(secrets)) expect(told).not.toContain(secret);
    expect(statSync(queueKeys).mode & 0o777).toBe(0o600);
  });

  it("whoever may look after the queue has its edges load models by the key of the queue", async () => {
    const call = caller(() => queue.url);
    expect((await call(load, {}, by("keeper"))).status).toBe(200);
    expect((await call(load, { parameters: { spillway_zip: "/x.zip" } }, by("keeper"))).status).toBe(403);
    expect((await call(load, {}, by("camera"))).status).toBe(403);
  });

  it("the load generator sends a key that it has in its environment", () => {
    const flags = ["--url", queue.url, "--model", "id", "--rate", "20", "--requests", "5", "--json"];
    const run = (...more: string[]) =>
      spawnSync(process.execPath, [executable, "loadgen", ...flags, ...more], {
        encoding: "utf8",
        env: { ...process.env, EDGE_BEARER_TOKEN: secrets["camera"] },
      });
    expect(JSON.parse(run("--auth", "bearer").stdout)).toMatchObject({ requests: 5, answered: 5 });
    const { status, stderr } = run();
    expect([status, stderr]).toEqual([2, expect.stringContaining("status 401")]);
  });

  it("a page that --cors names needs a key as well", async () => {
    const call = caller(() => queue.url);
    const page = { origin: "https://app.example" };
    const refused = await call(infer, row, { headers: page });
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, page.origin]);
    const { headers } = by("camera");
    const answer = await call(infer, row, { headers: { ...page, ...headers } });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, page.origin]);
    const other = { origin: "https://evil.example", ...headers };
    expect((await call(infer, row, { headers: other })).status).toBe(403);
  });
});

describe("a start with what cannot be used", () => {
  const started = (command: string, ...flags: string[]) =>
    spawnSync(process.execPath, [executable, command, "--port", "0", ...flags], {
      encoding: "utf8",
      env: { ...process.env, SPILLWAY_LOG_LEVEL: "silent" },
    });
  const open = newFolder();
  chmodSync(open, 0o777);

  it.each([
    ["vqueue", ["--state", open], `--state: ${open}: can be written by others`],
    ["function-host", ["--state", "/dev/null"], "--state: /dev/null: is not a folder"],
    ["vqueue", ["--api-keys", "/no/such.yaml"], "--api-keys: /no/such.yaml: "],
    ["vqueue", ["--cors", "app.example"], '--cors is "app.example"; allowed: an origin'],
    ["vqueue", ["--edge-auth", "bearer"], "--edge-auth bearer needs EDGE_BEARER_TOKEN"],
  ])("%s %j ends with one line", (command, flags, message) => {
    const { status, stderr } = started(command, ...flags);
    expect([status, stderr.trim().split("\n").length]).toEqual([2, 1]);
    expect(stderr).toContain(message);
  });

  it("does without a token where the folder by default cannot be used, and says so", async () => {
    const before = process.env["XDG_STATE_HOME"];
    process.env["XDG_STATE_HOME"] = "/proc/none";
    const queue = await startProgram("vqueue", ["--edge", "http://127.0.0.1:9", ...frugal]);
    process.env["XDG_STATE_HOME"] = before;
    expect((await fetch(`${queue.url}/admin/status`)).status).toBe(200);
    expect(queue.log()).toContain("no admin token");
    await queue.stop();
  });
});
