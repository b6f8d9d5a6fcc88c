/** One server that runs, with all of its processes, until it is stopped; none outlives this program. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, closeSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { onnxFile } from "./bench-models.ts";
import type { PeerModel } from "./cells.ts";
import { cacheFolder } from "./venvs.ts";
import { type Contender, type PeerRequest, serversFolder } from "./contenders.ts";
import { treePids, treeVariable } from "./process-tree.ts";

export interface RunningServer {
  readonly port: number;
  pids(): number[];
  stop(): Promise<void>;
}

const readyWithinMs = 120_000;
const endWithinMs = 10_000;
const values = new Set<string>();
let started = 0;

process.on("exit", () => {
  for (const value of values) kill(treePids(value));
});

/**
 * Resolves when the server answers this request with 200. Throws an Error with the last line of its log when it ends
 * before, or takes too long.
 *
 * @param folder an empty one, for its log and settings
 */
export async function startServer(
  contender: Contender,
  model: PeerModel,
  probe: PeerRequest,
  bin: string,
  models: string,
  folder: string,
  signal: AbortSignal,
): Promise<RunningServer> {
  mkdirSync(folder, { recursive: true });
  const ports = await freePorts(4);
  const value = `${process.pid}-${++started}`;
  values.add(value);
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    const all = new Set(treePids(value));
    for (const child of children.toReversed()) child.kill("SIGTERM");
    for (const untilMs = performance.now() + endWithinMs; performance.now() < untilMs; await delay(50)) {
      if (treePids(value).length === 0) break;
    }
    for (const pid of treePids(value)) all.add(pid);
    kill(treePids(value));
    values.delete(value);
  };
  try {
    let port = 0;
    for (const each of contender.commands({ model, ports, folder, models, bin })) {
      port = each.port;
      const log = join(folder, `${children.length}.log`);
      const child = spawnInto(log, each.command, {
        [treeVariable]: value,
        PEER_MODEL: model,
        PEER_ONNX: onnxFile,
        PEER_PORT: String(port),
        PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}`,
      });
      children.push(child);
      await answers(child, port, probe, log, signal);
    }
    return { port, pids: () => treePids(value), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function spawnInto(log: string, command: readonly string[], env: Record<string, string>): ChildProcess {
  const [program = "", ...args] = command;
  const file = openSync(log, "w");
  // A group of its own, so that Ctrl-C reaches this program alone, which then stops the server.
  const child = spawn(program, args, {
    stdio: ["ignore", file, file],
    detached: true,
    env: {
      ...process.env,
      PYTHONPATH: serversFolder,
      PYTHONDONTWRITEBYTECODE: "1",
      OMP_NUM_THREADS: "1",
      BENTOML_DO_NOT_TRACK: "true",
      BENTOML_HOME: join(cacheFolder, "bentoml-home"),
      RAY_USAGE_STATS_ENABLED: "0",
      ...env,
    },
  });
  closeSync(file);
  return child;
}

async function answers(
  child: ChildProcess,
  port: number,
  { path, headers, body }: PeerRequest,
  log: string,
  signal: AbortSignal,
): Promise<void> {
  const ended = once(child, "exit").catch(() => []);
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  const lastLine = (): string => readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
  for (const untilMs = performance.now() + readyWithinMs; performance.now() < untilMs; await delay(200)) {
    signal.throwIfAborted();
    if (hasEnded) throw new Error(`it ended at once: ${lastLine()}`);
    const url = `http://127.0.0.1:${port}${path}`;
    const timeouts = { headersTimeout: 5_000, bodyTimeout: 5_000, signal };
    const answer = await request(url, { method: "POST", headers, body, ...timeouts }).catch(() => undefined);
    await answer?.body.dump();
    if (answer?.statusCode === 200) return;
  }
  throw new Error(`it did not answer within ${readyWithinMs / 1_000} s: ${lastLine()}`);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}
