/** An edge server as a process on a free port. */
import { type RunningProgram, startProgram } from "./running-program.ts";

export type RunningEdge = RunningProgram;

/** Resolves when it is ready; rejects with its log when it ends before. */
export function startEdge(...flags: string[]): Promise<RunningEdge> {
  return startProgram("edge", flags);
}
