/** A mosquitto of a test's own, on a free port of this machine. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "./free-ports.ts";

const program = "mosquitto";

/** Debian has it where users other than root may not look. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };

/** Why tests with it are skipped; undefined when it is installed. */
export const whyNoMosquitto: string | undefined =
  spawnSync(program, ["-h"], { env }).error === undefined ? undefined : "mosquitto is not installed";

if (whyNoMosquitto !== undefined) process.stderr.write(`skipped: ${whyNoMosquitto}\n`);

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  /** Ends it and starts it again on the same port. */
  restart(signal: NodeJS.Signals): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** What it has written to its log. */
  log(): string;
  stop(): Promise<void>;
}

export interface MosquittoOptions {
  /** Lines of its configuration beside the port, such as those of a listener with TLS. */
  readonly lines?: readonly string[];
  /** Keeps sessions and messages over restarts. */
  readonly persistence?: boolean;
}

/** It takes any number of messages for those who are away, and 1,000 under way to each. */
export async function startMosquitto({
  lines = [],
  persistence = false,
}: MosquittoOptions = {}): Promise<Mosquitto> {
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), "spillway-mosquitto-"));
  // It gives up root, and must write here then.
  chmodSync(folder, 0o777);
  const config = [
    `listener ${port} 127.0.0.1`,
    "max_queued_messages 0",
    "max_inflight_messages 1000",
    ...(lines.some((line) => line.startsWith("allow_anonymous")) ? [] : ["allow_anonymous true"]),
    ...(persistence ? ["persistence true", `persistence_location ${folder}/`] : ["persistence false"]),
    ...lines,
  ];
  writeFileSync(join(folder, "mosquitto.conf"), `${config.join("\n")}\n`);
  let child: ChildProcess | undefined;
  let log = "";
  const start = async (): Promise<void> => {
    const started = spawn(program, ["-c", join(folder, "mosquitto.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
      env,
    });
    started.stderr.on("data", (text: Buffer) => (log += text.toString()));
    child = started;
    while (!(await answers(port))) {
      if (started.exitCode !== null) throw new Error(`mosquitto ended: ${log}`);
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
    url: `mqtt://127.0.0.1:${port}`,
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

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
