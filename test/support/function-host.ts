/** A function host with a real function, called through the official SDK, and a close that finds what was left running. */
import { createRequire } from "node:module";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type FunctionCompute from "@alicloud/fc20230330";
import { createAdaptorServer } from "@hono/node-server";
import { read } from "httpx";
import { pino } from "pino";
import { afterAll, afterEach, expect, vi } from "vitest";
import type { FunctionConfig } from "../../serverless/host/fc-contract.ts";
import { AccessGate } from "../../base/access/access-gate.ts";
import { createFunctionHost, type FunctionHostOptions } from "../../serverless/host/host.ts";
import type { InstanceView } from "../../serverless/host/instances/instance.ts";
import type { Bill } from "../../serverless/host/meter.ts";
import { cuSheet } from "./cu-sheet.ts";

// By require, since what a CommonJS default import gives differs between Node and vitest.
export const sdk = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;
export const folder = mkdtempSync(join(tmpdir(), "spillway-host-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A real function. A body that starts with "!" is an order; any other is sent back. */
const program = join(folder, "program.mjs");
export const programText = `import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
let initialized = 0;
if (process.env.STUBBORN) process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
const orders = {
  exit: () => process.exit(3),
  hang: () => {},
  drop: (res) => res.destroy(),
  forge: (res, name) => res.writeHead(200, { [name]: "x".repeat(name === "x-big" ? 9000 : 1) }).end(),
  fail: (res) => res.writeHead(404, { "x-fc-status": "404" }).end("no such model"),
  last: (res) => res.on("finish", () => process.exit()).end("bye"),
  log: (res, text) => process.stdout.write(text + "\\n", () => res.end()),
  wait: (res, ms) => setTimeout(() => res.end(), Number(ms)),
  eat: (res, mib) => res.end(String(Buffer.alloc(mib * 2 ** 20, 1).length)),
  burn: (res, ms) => {
    const from = process.cpuUsage();
    while (process.cpuUsage(from).user < Number(ms) * 1000);
    res.end();
  },
  mark: (res, _, req) => {
    const id = req.headers["x-fc-request-id"];
    console.log("FC Invoke Start RequestId: " + id);
    res.end(() => setTimeout(() => console.log("late word of " + id + "\\nFC Invoke End RequestId: " + id), 5));
  },
  spawn: (res) => res.end(String(spawn("sleep", ["1000"]).pid)),
  big: (res) => res.end(Buffer.alloc(2000)),
  hold: (res, gate) => {
    const timer = setInterval(() => existsSync(gate) && (clearInterval(timer), res.end("released")), 5);
  },
  tell: (res, _, req) => {
    res.setHeader("x-model", "m");
    res.end(JSON.stringify({ env: process.env, headers: req.headers, initialized }));
  },
};
createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (req.headers["x-fc-control-path"] === "/http-invoke") {
    const { method, url, headers } = req;
    const status = Number(headers["x-status"] ?? 200);
    res.writeHead(status, { "x-own": "1", "content-type": "text/plain" });
    return res.end(status === 204 ? undefined : JSON.stringify({ method, url, headers, body: body.toString() }));
  }
  if (req.url === "/initialize" && process.env.INITIALIZE) console.log("no weights");
  if (req.url === "/initialize") return res.writeHead(Number(process.env.INITIALIZE ?? 200)).end(void initialized++);
  if (req.url === "/pre-stop") return res.end(void writeFileSync(process.env.FOLDER + "/" + process.env.FC_INSTANCE_ID, ""));
  if (body[0] !== 33) return res.end(body);
  const [order, ...words] = body.toString().slice(1).split(" ");
  orders[order](res, words.join(" "), req);
}).listen(Number(process.env.FC_SERVER_PORT), "127.0.0.1");
`;
writeFileSync(program, programText);

export function functionNamed(name: string, change: Partial<FunctionConfig> = {}): FunctionConfig {
  const command = [process.execPath, program];
  const env = { FOLDER: folder };
  return {
    name,
    command,
    env,
    vcpu: 1,
    memoryMib: 512,
    timeoutMs: 10_000,
    initializer: false,
    preStop: true,
    ...change,
  };
}

type Client = InstanceType<typeof sdk.default>;
interface Answer {
  status: number | undefined;
  headers: Record<string, string>;
  body: Buffer;
}

const closers: (() => Promise<void>)[] = [];
const pidsSeen = new Set<number>();

export async function start({
  adminToken,
  ...change
}: Partial<FunctionHostOptions> & { adminToken?: string } = {}) {
  const functions = change.functions ?? [functionNamed("f")];
  const log = pino({ level: "silent" });
  const host = createFunctionHost({
    functions,
    accessKeys: { key: "secret" },
    prices: cuSheet,
    log,
    ...(adminToken !== undefined && {
      gate: new AccessGate({ token: { text: adminToken, endsTrust: true } }),
    }),
    ...change,
  });
  const server = createAdaptorServer({ fetch: host.app.fetch }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  closers.push(async () => {
    for (const { pid } of await list()) if (pid !== null) pidsSeen.add(pid);
    await host.close();
    expect(await list()).toEqual([]);
    for (const pid of pidsSeen) expect(isRunning(pid)).toBe(false);
    server.close();
  });

  async function admin<T>(path: string): Promise<T> {
    const headers = { authorization: `Bearer ${adminToken ?? ""}` };
    return (await (await fetch(`http://${endpoint}/admin/${path}`, { headers })).json()) as T;
  }
  const list = (): Promise<InstanceView[]> => admin<InstanceView[]>("instances");

  const client = (accessKeyId: string, accessKeySecret: string): Client => {
    const config = {
      accessKeyId,
      accessKeySecret,
      endpoint,
      protocol: "http",
      readTimeout: 15_000,
      connectTimeout: 15_000,
    };
    return new sdk.default(config as ConstructorParameters<typeof sdk.default>[0]);
  };
  const ours = client("key", "secret");
  async function invoke(
    body: string | Buffer,
    options: { name?: string; by?: Client; type?: string; qualifier?: string } = {},
  ): Promise<Answer> {
    const headers = new sdk.InvokeFunctionHeaders({
      xFcInvocationType: options.type ?? "Sync",
      xFcLogType: "Tail",
    });
    const { qualifier } = options;
    const request = new sdk.InvokeFunctionRequest({
      body: Readable.from([Buffer.from(body)]),
      ...(qualifier !== undefined && { qualifier }),
    });
    const runtime = {} as Parameters<Client["invokeFunctionWithOptions"]>[3];
    const by = options.by ?? ours;
    const reply = await by.invokeFunctionWithOptions(options.name ?? "f", request, headers, runtime);
    const bytes = Buffer.from(await read(reply.body as IncomingMessage, ""));
    return { status: reply.statusCode, headers: reply.headers ?? {}, body: bytes };
  }
  const busy = async (count: number): Promise<void> => {
    await eventually(async () =>
      expect((await list()).filter(({ state }) => state === "busy")).toHaveLength(count),
    );
  };
  return { host, endpoint, invoke, client, ours, list, busy, bill: () => admin<Bill>("bill") };
}

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A process that ended but whose parent has not taken note yet (a zombie) does not run. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || !/\) Z /.test(readFileSync(file, "utf8"));
}

/** Wait until a check passes, on a slow machine too. */
export function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000, interval: 10 });
}

let gates = 0;
export function newGate(): { order: string; open: () => void } {
  const file = join(folder, `gate-${(gates += 1)}`);
  return { order: `!hold ${file}`, open: () => writeFileSync(file, "") };
}
