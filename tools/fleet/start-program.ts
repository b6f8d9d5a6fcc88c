/** Starts one program of a fleet and waits until it is ready. Another process in its place is never taken for it. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { FleetFolder, FleetProgram } from "./fleet-state.ts";
import { endText, identityOf, isReady, spawnProgram } from "./processes.ts";

/** A program to start. */
export interface PlannedProgram {
  readonly name: string;
  /** A command of this executable. */
  readonly command: string;
  /** Its options as YAML. */
  readonly optionsText: string;
  readonly host: string;
  readonly port: number;
  /** Path that answers 200 when the program is ready. */
  readonly readyPath: string;
}

export interface StartOptions {
  readonly folder: FleetFolder;
  /** Path of `cli.js`. */
  readonly executable: string;
  /** Working folder of the programs; paths in their options are relative to it. */
  readonly workingFolder: string;
  /** Longest time until a program is ready, in milliseconds from its start. */
  readonly waitMs: number;
  /** Gives up; what was started is stopped again. */
  readonly stop: AbortSignal;
  readonly say: (text: string) => void;
}

/** Interval of asking whether a program is ready, in milliseconds. */
const askEveryMs = 50;
/** Lines of a log that are shown when its program ends too early. */
const shownLines = 5;

/**
 * @param onStarted called with the process before it is ready
 * @throws Error that says why the program is not ready; its process may still run then
 */
export async function startFleetProgram(
  planned: PlannedProgram,
  options: StartOptions,
  onStarted: (program: FleetProgram) => void,
): Promise<void> {
  const { name, command, host, port, readyPath } = planned;
  await checkPort(host, port, name);
  const log = options.folder.fileOf(name, "log");
  const child = spawned(planned, options, log);
  // A program that cannot be spawned counts as one that has ended.
  child.on("error", () => {});
  const identity = child.pid === undefined ? undefined : identityOf(child.pid);
  if (identity === undefined) throw new Error(`${name} ended at once; the end of its log:\n${endOf(log)}`);
  const url = `http://${urlHost(host)}:${port}`;
  const at = new Date().toISOString();
  const program = { ...identity, name, command, at, url, readyUrl: `${url}${readyPath}`, log };
  onStarted(program);
  await untilReady(child, program, options);
  if (hasEnded(child)) {
    const how = endText(child.exitCode, child.signalCode);
    throw new Error(`${name} ended before it was ready (${how}); the end of its log:\n${endOf(log)}`);
  }
  child.unref();
  options.say(`${name} ready: ${url} (pid ${child.pid})`);
}

function spawned(planned: PlannedProgram, options: StartOptions, log: string): ChildProcess {
  const { name, command, optionsText } = planned;
  const config = options.folder.fileOf(name, "yaml");
  writeFileSync(config, optionsText, { mode: 0o600 });
  const logFile = openSync(log, "w");
  try {
    return spawnProgram({
      executable: options.executable,
      command: [command, "--config", config],
      logFile,
      hasChannel: false,
      folder: options.workingFolder,
      env: ownEnvironment(),
    });
  } finally {
    closeSync(logFile);
  }
}

/** Resolves when it is ready or has ended. */
async function untilReady(
  child: ChildProcess,
  { name, readyUrl, log }: FleetProgram,
  { waitMs, stop }: StartOptions,
): Promise<void> {
  const untilMs = performance.now() + waitMs;
  while (!hasEnded(child) && !(await isReady(readyUrl))) {
    if (performance.now() > untilMs) {
      throw new Error(`${name} is not ready after ${waitMs / 1_000} s; its log is ${log}`);
    }
    await delay(askEveryMs, undefined, { signal: stop });
  }
  stop.throwIfAborted();
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Without our own variables, which would win against the fleet file. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SPILLWAY_")));
}

/** A foreign server on the port would be taken for the program. */
function checkPort(host: string, port: number, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", ({ message }) => reject(new Error(`${name} cannot listen: ${message}`)));
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

/** A host that stands for all addresses is reached at a local one. */
function urlHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function endOf(log: string): string {
  return readFileSync(log, "utf8").trimEnd().split("\n").slice(-shownLines).join("\n");
}
