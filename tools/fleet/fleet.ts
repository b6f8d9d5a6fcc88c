/** A fleet of programs: starts all of them or none, stops what was started and nothing else, and tells how they stand. */
import { inColumns } from "../../base/columns.ts";
import type { FleetFolder, FleetProgram, FleetState } from "./fleet-state.ts";
import { identityOf, isReady, isRunning, type ProcessIdentity, stopProcess } from "./processes.ts";
import { type PlannedProgram, type StartOptions, startFleetProgram } from "./start-program.ts";

export interface FleetOptions extends StartOptions {
  /** Path of the fleet file. */
  readonly file: string;
  readonly programs: readonly PlannedProgram[];
}

/**
 * Starts the programs one after another, each when the one before is ready.
 *
 * @throws Error that says which program did not start and why; then none of them runs
 */
export async function startFleet(options: FleetOptions): Promise<void> {
  const { folder, file, programs, stop, say } = options;
  const starting = identityOf(process.pid) as ProcessIdentity;
  const started: FleetProgram[] = [];
  const state = (): FleetState => ({ format: "spillway-fleet/1", file, starting, programs: started });
  folder.create(state());
  try {
    for (const planned of programs) {
      await startFleetProgram(planned, options, (program) => {
        started.push(program);
        folder.write(state());
      });
    }
    folder.write({ ...state(), starting: null });
  } catch (error) {
    for (const program of started.toReversed()) say(`${program.name} ${await stopProcess(program)}`);
    folder.remove();
    throw stop.aborted
      ? new Error("interrupted; what was started is stopped again", { cause: error })
      : error;
  }
}

/**
 * Stops the programs, the last one first, because later programs use the earlier ones.
 *
 * @returns how many were running
 */
export async function stopFleet(folder: FleetFolder, say: (text: string) => void): Promise<number> {
  let state = folder.read();
  if (state === undefined) return 0;
  if (state.starting !== null && isRunning(state.starting)) {
    say(`up is still starting programs (pid ${state.starting.pid}); it is stopped first`);
    const before = state.programs.filter(isRunning).length;
    await stopProcess(state.starting);
    // It has stopped its programs itself, unless it was killed.
    state = folder.read();
    if (state === undefined) return before;
  }
  let stopped = 0;
  for (const program of state.programs.toReversed()) {
    const how = await stopProcess(program);
    if (how === "stopped" || how === "killed") stopped++;
    say(
      how === "replaced"
        ? `${program.name} is gone; pid ${program.pid} is another process now and is left alone`
        : `${program.name} ${how}`,
    );
  }
  folder.remove();
  return stopped;
}

export interface ProgramStatus {
  readonly name: string;
  readonly command: string;
  readonly state: "ready" | "not ready" | "ended";
  readonly pid: number;
  /** Time since its start; null when it has ended. */
  readonly uptimeS: number | null;
  readonly url: string;
  readonly log: string;
}

/** @param nowMs since the epoch */
export function fleetStatus({ programs }: FleetState, nowMs: number): Promise<ProgramStatus[]> {
  return Promise.all(
    programs.map(async (program): Promise<ProgramStatus> => {
      const { name, command, pid, at, url, log, readyUrl } = program;
      const runs = isRunning(program);
      const state = !runs ? "ended" : (await isReady(readyUrl)) ? "ready" : "not ready";
      const uptimeS = runs ? Math.round((nowMs - Date.parse(at)) / 1_000) : null;
      return { name, command, state, pid, uptimeS, url, log };
    }),
  );
}

export function formatStatus(statuses: readonly ProgramStatus[]): string {
  const rows = statuses.map(({ name, state, pid, uptimeS, url, log }) => {
    return [name, state, String(pid), uptimeText(uptimeS), url, log];
  });
  return inColumns([["name", "state", "pid", "up", "url", "log"], ...rows]);
}

function uptimeText(uptimeS: number | null): string {
  if (uptimeS === null) return "-";
  if (uptimeS < 120) return `${uptimeS} s`;
  if (uptimeS < 7_200) return `${Math.floor(uptimeS / 60)} min`;
  return `${Math.floor(uptimeS / 3_600)} h`;
}
