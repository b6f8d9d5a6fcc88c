/**
 * A function as a process with a port: as a plain server, which is told PORT, and behind an imitated HTTP trigger, which is
 * told the platform's variables and gets the platform's headers. What a trigger does not allow in an answer is an error.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { headerLength, toWireBody, wireHeaders } from "../../protocol/v2-http.ts";
import { eventually } from "../support/built.ts";
import { freePorts } from "../support/free-ports.ts";
import type { FunctionCommand, FunctionShape, InferCall, RunningFunction } from "./function-shape.ts";

type Send = (path: string, init?: RequestInit) => Promise<Response>;

export const plainFunction: FunctionShape = {
  name: "as a plain server",
  isPlatform: false,
  start: async (command) => {
    const [port = 0] = await freePorts(1);
    return startFunction(
      command,
      port,
      { PORT: String(port) },
      (url) => (path, init) => fetch(`${url}${path}`, init),
    );
  },
};

export const imitatedTriggerFunction: FunctionShape = {
  name: "behind an imitated HTTP trigger",
  isPlatform: true,
  start: async (command) => {
    const [port = 0, other, another] = await freePorts(3);
    // Of several ports the platform's own counts.
    const env = { FC_SERVER_PORT: port, FC_CUSTOM_LISTEN_PORT: other, PORT: another };
    const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
    const running = await startFunction(command, port, texts, throughTrigger);
    const initialized = await running.send?.("/initialize", { method: "POST" });
    if (initialized?.status === 200) return running;
    const why = await initialized?.text();
    await running.stop();
    throw new Error(`the initializer answered ${initialized?.status}: ${why}`);
  },
};

async function startFunction(
  { command: [program = "", ...args], cwd, models }: FunctionCommand,
  port: number,
  ports: Readonly<Record<string, string>>,
  sender: (url: string) => Send,
): Promise<RunningFunction> {
  const { PATH } = process.env;
  // Without a channel to its parent, as on the platform.
  const child = spawn(program, args, { cwd, env: { PATH, SPILLWAY_MODELS: models, ...ports } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += text));
  const exited = once(child, "close").then(([status]) => status as number | null);
  const send = sender(`http://127.0.0.1:${port}`);
  try {
    await eventually(async () => {
      if (child.exitCode !== null) return;
      const { status } = await fetch(`http://127.0.0.1:${port}/v2/health/live`);
      if (status !== 200) throw new Error(`/v2/health/live answered ${status}`);
    });
    if (child.exitCode !== null) throw new Error(`the function ended: ${output}`);
  } catch (error) {
    await kill(child);
    throw error;
  }
  return {
    infer: (call) => inferOver(send, call),
    send,
    process: { port, terminate: () => child.kill("SIGTERM"), exited },
    output: () => output,
    stop: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "close");
}

export async function inferOver(
  send: Send,
  { model, version, wire }: InferCall,
): Promise<{ status: number; wire: ReturnType<typeof toWireBody> }> {
  const path = `/v2/models/${encodeURIComponent(model)}${version === undefined ? "" : `/versions/${version}`}/infer`;
  const body = wire.body as Uint8Array<ArrayBuffer>;
  const reply = await send(path, { method: "POST", headers: wireHeaders(wire), body });
  return {
    status: reply.status,
    wire: toWireBody(reply.headers.get(headerLength), await reply.arrayBuffer()),
  };
}

/** Paths that the platform asks for itself; all others come from outside. */
const hooks = new Set(["/invoke", "/initialize", "/pre-stop"]);
const longestHeadersBytes = 8 * 1_024;

function throughTrigger(url: string): Send {
  return async (path, init = {}) => {
    const headers = new Headers(init.headers);
    const [pathname = ""] = path.split("?");
    const platform = {
      "x-fc-request-id": newRequestId(),
      "x-fc-control-path": hooks.has(pathname) ? pathname : "/http-invoke",
      "x-fc-base-path": "/",
      "x-fc-function-name": "f",
      "x-fc-function-memory": "1024",
      "x-fc-function-timeout": "60",
      "x-fc-region": "cn-hangzhou",
      "x-fc-account-id": "1",
      "x-fc-access-key-id": "",
      "x-fc-client-ip": "192.0.2.1",
      "x-fc-retry-count": "0",
    };
    for (const [name, value] of Object.entries(platform)) if (!headers.has(name)) headers.set(name, value);
    const reply = await fetch(`${url}${path}`, { ...init, headers });
    checkAllowed(reply.headers);
    return reply;
  };
}

/** @throws Error that names what a trigger would answer with 502 for, or drop */
function checkAllowed(headers: Headers): void {
  const status = headers.get("x-fc-status");
  if (status !== "200" && status !== "404") throw new Error(`x-fc-status is ${status}; allowed: 200 or 404`);
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length + 4;
    // Those of the connection, as content-length, Node sets and the platform replaces.
    const isPlatforms = name === "server" || name === "keep-alive" || name.startsWith("x-fc-");
    if (isPlatforms && name !== "x-fc-status")
      throw new Error(`the function sets ${name}, which is the platform's`);
  }
  if (bytes > longestHeadersBytes) throw new Error(`the answer's headers have ${bytes} bytes`);
}

function newRequestId(): string {
  return `1-${randomBytes(4).toString("hex")}-${randomBytes(4).toString("hex")}-${randomBytes(6).toString("hex")}`;
}
