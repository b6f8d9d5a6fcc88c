/** How the programs of a fleet stand, as data and as a table. */
import type { FleetState } from "./fleet-state.ts";
import { isRunning } from "./process-identity.ts";
import { isReady } from "./readiness.ts";

export interface ProgramStatus {
  readonly name: string;
  readonly command: string;
  readonly state: "ready" | "not ready" | "ended";
  readonly pid: number;
  /** Since its start; null when it has ended. */
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
  const rows = [
    ["name", "state", "pid", "up", "url", "log"],
    ...statuses.map(({ name, state, pid, uptimeS, url, log }) => [
      name,
      state,
      String(pid),
      uptimeText(uptimeS),
      url,
      log,
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths?.[column] as number))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function uptimeText(uptimeS: number | null): string {
  if (uptimeS === null) return "-";
  if (uptimeS < 120) return `${uptimeS} s`;
  if (uptimeS < 7_200) return `${Math.floor(uptimeS / 60)} min`;
  return `${Math.floor(uptimeS / 3_600)} h`;
}
