/** `spillway up`, `status` and `down`: start, list and stop a set of programs on this machine. */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { logOptions } from "../base/program/log-options.ts";
import { stopOnSignal } from "../base/program/progress.ts";
import { UsageError } from "../base/usage-error.ts";
import { daemonOptions } from "../client/daemon/options.ts";
import { edgeOptions } from "../edge/server/options.ts";
import { functionHostOptions } from "../serverless/host/options.ts";
import { fleetStatus, formatStatus, startFleet, stopFleet } from "../tools/fleet/fleet.ts";
import { readFleetFile } from "../tools/fleet/fleet-file.ts";
import { FleetFolder } from "../tools/fleet/fleet-state.ts";
import type { DownOptions, StatusOptions, UpOptions } from "../tools/fleet/options.ts";
import { isRunning } from "../tools/fleet/processes.ts";

const functionHost = {
  schema: functionHostOptions.extend(logOptions.shape),
  readyPath: "/admin/instances",
};

/** The commands that a fleet may have; `functions` is the earlier name of `function-host`. */
const servers = {
  edge: { schema: edgeOptions.extend(logOptions.shape), readyPath: "/v2/health/ready" },
  "function-host": functionHost,
  functions: functionHost,
  vqueue: { schema: daemonOptions.extend(logOptions.shape), readyPath: "/v2/health/ready" },
};
const executable = fileURLToPath(new URL("../cli.js", import.meta.url));

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Exit status 0 when all are ready; else 1, or 130 after Ctrl-C, and none of them runs. */
export async function runUp({ file, state, wait }: UpOptions): Promise<number> {
  const programs = readFleetFile(file, servers);
  const folder = new FleetFolder(state);
  refuseSecondUp(folder);
  const stop = stopOnSignal("what was started is stopped again");
  try {
    await startFleet({
      folder,
      file: resolve(file),
      programs,
      executable,
      workingFolder: dirname(resolve(file)),
      waitMs: wait * 1_000,
      stop,
      say,
    });
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw new UsageError(`another up is starting a fleet in ${folder.path}`);
    say(`spillway: ${message}`);
    return stop.aborted ? 130 : 1;
  }
}

/** Exit status 0 when all are ready, else 1. */
export async function runStatus({ state, json }: StatusOptions): Promise<number> {
  const found = new FleetFolder(state).read();
  const statuses = found === undefined ? [] : await fleetStatus(found, Date.now());
  if (json) process.stdout.write(`${JSON.stringify(statuses)}\n`);
  else process.stdout.write(statuses.length === 0 ? "nothing is running\n" : formatStatus(statuses));
  return statuses.length > 0 && statuses.every((status) => status.state === "ready") ? 0 : 1;
}

export async function runDown({ state }: DownOptions): Promise<number> {
  if ((await stopFleet(new FleetFolder(state), say)) === 0) say("nothing was running");
  return 0;
}

/** Also removes the state of a fleet whose programs have all ended. */
function refuseSecondUp(folder: FleetFolder): void {
  const state = folder.read();
  if (state === undefined) return;
  if (state.starting !== null && isRunning(state.starting)) {
    throw new UsageError(`another up (pid ${state.starting.pid}) is starting this fleet`);
  }
  const running = state.programs.filter(isRunning);
  if (running.length > 0) {
    const names = running.map(({ name, pid }) => `${name} (pid ${pid})`).join(", ");
    throw new UsageError(`already running: ${names}; spillway down stops them`);
  }
  folder.remove();
}
