/**
 * A nats-server of a test's own, on a free port of this machine. Of the programs that are installed each has other
 * abilities: Debian's is 2.9, `go install github.com/nats-io/nats-server/v2@v2.15.2` brings a newer one.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "./free-ports.ts";

export interface NatsProgram {
  readonly path: string;
  /** Such as "2.15.2". */
  readonly version: string;
}

/** Those that are installed, one of each version, the newest first. */
export const natsPrograms: readonly NatsProgram[] = findPrograms();

/** The newest one; tests that use it are skipped where there is none. */
export const newestNats: NatsProgram | undefined = natsPrograms[0];

/** Why tests with a nats-server of 2.12 or later are skipped; undefined: there is one. */
export const whyNoNats: string | undefined = reasonOf(12);

/** The same for any nats-server. */
export const whyNoNatsAtAll: string | undefined = reasonOf(0);

if (whyNoNats !== undefined) process.stderr.write(`skipped: ${whyNoNats}\n`);

export interface NatsServer {
  readonly port: number;
  /** HOST:PORT, as `--join` takes it. */
  readonly address: string;
  readonly folder: string;
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and starts it again on the same port, with what it has stored. */
  restart(signal: NodeJS.Signals): Promise<void>;
  /** What it has written to its log. */
  log(): string;
  stop(): Promise<void>;
}

export interface NatsServerOptions {
  /** Default: the newest one. */
  readonly program?: NatsProgram | undefined;
  /** Lines of its configuration beside the port. */
  readonly lines?: readonly string[];
  /** Default: with JetStream. */
  readonly jetstream?: boolean;
  /** JetStream domain. */
  readonly domain?: string | undefined;
}

export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const { program = newestNats, lines = [], jetstream = true, domain } = options;
  if (program === undefined) throw new Error("nats-server is not installed");
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), "spillway-nats-"));
  const store = `jetstream { store_dir: "${folder}"${domain === undefined ? "" : `, domain: ${domain}`} }`;
  const config = [`listen: "127.0.0.1:${port}"`, ...(jetstream ? [store] : []), ...lines];
  writeFileSync(join(folder, "nats.conf"), `${config.join("\n")}\n`);
  let child: ChildProcess | undefined;
  let log = "";
  const start = async (): Promise<void> => {
    const started = spawn(program.path, ["-c", join(folder, "nats.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    started.stderr.on("data", (text: Buffer) => (log += text.toString()));
    child = started;
    while (!(await answers(port))) {
      if (started.exitCode !== null) throw new Error(`nats-server ended: ${log}`);
      await delay(20);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const ended = once(ending, "close");
    ending.kill(signal);
    await ended;
  };
  await start();
  return {
    port,
    address: `127.0.0.1:${port}`,
    folder,
    start,
    end,
    restart: async (signal) => {
      await end(signal);
      await start();
    },
    log: () => log,
    stop: async () => {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findPrograms(): NatsProgram[] {
  const { NATS_SERVER: named, GOPATH: goPath = join(homedir(), "go") } = process.env;
  const places = [named, join(goPath, "bin", "nats-server"), "nats-server", "/usr/sbin/nats-server"];
  const found = new Map<string, NatsProgram>();
  for (const path of places) {
    if (path === undefined) continue;
    const version = /v(\d+\.\d+\.\d+)/.exec(spawnSync(path, ["--version"]).stdout?.toString() ?? "")?.[1];
    if (version !== undefined && !found.has(version)) found.set(version, { path, version });
  }
  return [...found.values()].toSorted((a, b) => minorOf(b) - minorOf(a));
}

function minorOf({ version }: NatsProgram): number {
  return Number(version.split(".")[1]);
}

function reasonOf(leastMinor: number): string | undefined {
  if (newestNats === undefined) return "nats-server is not installed";
  if (minorOf(newestNats) >= leastMinor) return undefined;
  return `nats-server is ${newestNats.version}, which lacks what later ones have; wanted: 2.${leastMinor}`;
}

/** It greets whoever connects. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once("data", (greeting) => end(greeting.toString().startsWith("INFO ")));
    socket.once("error", () => end(false));
    socket.once("close", () => resolve(false));
  });
}
